// Text from hosts is chosen by attackers. It only ever becomes text nodes, and what could deceive the eye is shown by its number.
import type { ComponentChildren } from "preact";
import type { AuditEvent } from "./api";

// C0 and C1 controls, soft hyphen, zero width, line separators, bidi controls, byte order mark, tags
const DECEIVING = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\udb40[\udc00-\udc7f]/g;

/** The text with each deceiving character replaced by <U+XXXX>. */
export function visible(text: string): string {
  return text.replace(DECEIVING, (c) => `⟨U+${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

/** The same for the page: what was replaced stands out. */
export function Visible({ text }: { text: string }) {
  const parts: ComponentChildren[] = [];
  let last = 0;
  for (const match of text.matchAll(DECEIVING)) {
    if (match.index! > last) parts.push(text.slice(last, match.index));
    parts.push(<span class="control">{visible(match[0])}</span>);
    last = match.index! + match[0].length;
  }
  parts.push(text.slice(last));
  return <>{parts}</>;
}

/** One argument as a shell would need it, so that the borders between arguments show. */
export function quote(argument: string): string {
  return /^[\w@%+=:,./\\-]+$/.test(argument) ? argument : `'${argument.replace(/'/g, `'\\''`)}'`;
}

export function commandOf(event: AuditEvent): string {
  const args = event.process?.args;
  if (args) return args.map(quote).join(" ");
  if (event.message) return event.message;
  if (event.event.action === "unparsed") return String((event.event as Record<string, unknown>).original ?? "");
  const what = event.process?.executable ?? event.process?.name ?? "";
  return event.event.action === "executed" ? what : `${event.event.action ?? event.event.code ?? ""} ${what}`.trim();
}

/** Nanoseconds as a person says them. */
export function lasted(ns: number): string {
  const ms = ns / 1e6;
  if (ms < 1000) return `${Math.floor(ms)} ms`;
  if (ms < 60000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3600000) return `${Math.floor(ms / 60000)} m ${Math.floor((ms / 1000) % 60)} s`;
  return `${Math.floor(ms / 3600000)} h ${Math.floor((ms / 60000) % 60)} m`;
}

/** How a process ended and what it took, where that is known. */
export function endOf(event: AuditEvent): string {
  const code = event.process?.exit_code;
  if (code === undefined) return "";
  return event.event.duration === undefined ? String(code) : `${code}  ${lasted(event.event.duration)}`;
}

export function who(event: AuditEvent): string {
  const user = event.user?.name ?? event.user?.id ?? "";
  const login = event.user?.audit?.name ?? event.user?.audit?.id;
  return login === undefined ? user : login === user ? user : `${login} → ${user}`;
}

export const ttyOf = (event: AuditEvent) => String(event.auditd?.data?.tty ?? "");

/** Local time with milliseconds; the date only where it is not today. */
export function clock(stamp: string | number | null): string {
  if (stamp === null || stamp === "") return "";
  const date = new Date(stamp);
  const time = date.toLocaleTimeString("en-GB") + "." + String(date.getMilliseconds()).padStart(3, "0");
  return date.toDateString() === new Date().toDateString() ? time : `${date.toLocaleDateString("en-CA")} ${time}`;
}
