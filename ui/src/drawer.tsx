// Everything of one event, the arguments one by one, byte for byte.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ApiError, get, type AuditEvent } from "./api";
import { look, view } from "./state";
import { clock, commandOf, lasted, Visible, who } from "./text";

const shown = signal<AuditEvent | null>(null);
const problem = signal("");

async function load(id: string): Promise<void> {
  try {
    const event = await get<AuditEvent>(`events/${encodeURIComponent(id)}`);
    if (view.value.event === id) [shown.value, problem.value] = [event, ""];
  } catch (error) {
    if (error instanceof ApiError) [shown.value, problem.value] = [null, error.problem.sentence];
  }
}

interface Leaf {
  name: string;
  value: string;
  meaning?: string;
  untrusted?: boolean;
}

type Values = Record<string, unknown>;

function leaf(name: string, value: unknown, meaning?: unknown, untrusted?: boolean): Leaf {
  const text = (v: unknown) => (Array.isArray(v) ? v.map(String).join(", ") : String(v));
  return { name, value: text(value), meaning: meaning === undefined ? undefined : text(meaning), untrusted };
}

/** The fields of a record, a path or auditd.data: what each held, and beside it what that means. */
function interpreted(name: string, fields: Values, around: Values): Leaf[] {
  const said = (around.interpreted ?? {}) as Values;
  const raw = (around.raw ?? {}) as Values;
  const untrusted = (around.untrusted ?? []) as string[];
  return Object.entries(fields).map(([k, v]) =>
    raw[k] === undefined ? leaf(`${name}.${k}`, v, said[k], untrusted.includes(k)) : leaf(`${name}.${k}`, raw[k], v),
  );
}

/** Leaves of the document as dotted names, in its order; what values mean stands beside them. */
export function flatten(value: unknown, name = ""): Leaf[] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) {
    if (value.every((v) => typeof v !== "object")) return [leaf(name, value)];
    return value.flatMap((v, i) => flatten(v, `${name}[${i}]`));
  }
  if (typeof value !== "object") return [leaf(name, value)];
  const { interpreted: _said, raw: _raw, untrusted: _untrusted, ...fields } = value as Values;
  if (/^auditd\.(paths|records)\[\d+\]$/.test(name)) return interpreted(name, fields, value as Values);
  if (name !== "auditd") return Object.entries(value).flatMap(([k, v]) => flatten(v, name ? `${name}.${k}` : k));
  return Object.entries(fields).flatMap(([k, v]) =>
    k === "data" ? interpreted("auditd.data", v as Values, value as Values) : flatten(v, `auditd.${k}`),
  );
}

function Arguments({ args }: { args: string[] }) {
  return (
    <ol class="args" start={0}>
      {args.map((argument, i) => (
        <li key={i}>
          <code>{argument === "" ? <i class="dim">empty</i> : <Visible text={argument} />}</code>
        </li>
      ))}
    </ol>
  );
}

function Actions({ event }: { event: AuditEvent }) {
  const ses = event.auditd?.session;
  const host = event.host?.name;
  const filter = (q: string) => look({ page: "events", q, event: "" });
  return (
    <p class="actions">
      {ses !== undefined && host && (
        <button class="session-link" onClick={() => look({ page: "session", host, ses: String(ses), event: "" })}>
          Session {ses} of {who(event)}
        </button>
      )}
      {event.process?.executable && <button onClick={() => filter(`exe:"${event.process!.executable}"`)}>Same program</button>}
      {event.process?.pid !== undefined && host && <button onClick={() => filter(`host:"${host}" and ppid:${event.process!.pid}`)}>Children</button>}
    </p>
  );
}

export function Drawer() {
  const id = view.value.event;
  useEffect(() => {
    shown.value = null;
    problem.value = "";
    if (id) void load(id);
  }, [id]);
  useEffect(() => {
    const key = (e: KeyboardEvent) => e.key === "Escape" && view.value.event && look({ event: "" });
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, []);
  if (!id) return null;
  const event = shown.value;
  return (
    <aside class="drawer" role="dialog" aria-label="Event">
      <button class="close" onClick={() => look({ event: "" })} aria-label="Close">×</button>
      {problem.value && <p class="problem">{problem.value}</p>}
      {event && (
        <>
          <h2>
            <Visible text={commandOf(event)} />
          </h2>
          <p class="dim">
            {clock(event["@timestamp"])} on <Visible text={event.host?.name ?? ""} /> by <Visible text={who(event)} />
          </p>
          {event.process?.exit_code !== undefined && (
            <p class={event.process.exit_code ? "ended bad" : "ended"}>
              {event.process.exit_signal !== undefined ? `ended by signal ${event.process.exit_signal}` : `ended with code ${event.process.exit_code}`}
              {event.event.duration !== undefined && ` after ${lasted(event.event.duration)}`}
            </p>
          )}
          <Actions event={event} />
          {event.rule?.id && <p class={`alert-line ${event.rule.level ?? ""}`}>Rule: <Visible text={event.rule.id.join(", ")} /> ({event.rule.level})</p>}
          {event.process?.args && (
            <>
              <h3>{event.process.args.length} arguments</h3>
              <Arguments args={event.process.args} />
            </>
          )}
          <h3>Fields</h3>
          <table class="fields">
            <tbody>
              {flatten(event).map(({ name, value, meaning, untrusted }) => (
                <tr key={name}>
                  <th scope="row"><Visible text={name} /></th>
                  <td>
                    <Visible text={value} />
                    {meaning !== undefined && <span class="meaning"><Visible text={meaning} /></span>}
                    {untrusted && <span class="dim" title="written by a program, not by the kernel"> (a program's word)</span>}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </>
      )}
    </aside>
  );
}
