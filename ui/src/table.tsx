// A table of events of any length: rows have one height, and only those in sight are in the document.
import { useEffect, useRef, useState } from "preact/hooks";
import type { AuditEvent } from "./api";
import { look, view } from "./state";
import { clock, commandOf, endOf, ttyOf, visible, Visible, who } from "./text";

const ROW = 24; // pixels, as in main.css
const SPARE = 12; // rows above and below what is in sight

function classOf(event: AuditEvent): string {
  return ["row", event.rule?.level && `level-${event.rule.level}`, event.exectrail?.noise && "noise", event.event.outcome === "failure" && "failed", view.value.event === event.event.id && "open"]
    .filter(Boolean)
    .join(" ");
}

function Row({ event, top }: { event: AuditEvent; top: number }) {
  const time = event["@timestamp"];
  const open = () => look({ event: event.event.id });
  const cell = (name: string, text: string) => (
    <span class={name} role="cell" title={visible(text)}>
      <Visible text={text} />
    </span>
  );
  return (
    <div class={classOf(event)} style={{ top: `${top}px` }} role="row" tabIndex={0} data-id={event.event.id} onClick={open} onKeyDown={(e) => e.key === "Enter" && open()}>
      <span class="time" role="cell" title={time}>{clock(time)}</span>
      {cell("host", event.host?.name ?? "")}
      {cell("who", who(event))}
      {cell("tty", ttyOf(event))}
      {cell("cwd", event.process?.working_directory ?? "")}
      <span class={event.process?.exit_code ? "ended bad" : "ended"} role="cell" title="exit code and duration">{endOf(event)}</span>
      <span class="command" role="cell">
        {event.rule?.id && <b class={`mark ${event.rule.level ?? ""}`} title={visible(event.rule.id.join(", "))}>{event.rule.level ?? "alert"}</b>}
        <Visible text={commandOf(event).slice(0, 2000)} />
      </span>
    </div>
  );
}

export function EventTable({ rows, onEnd }: { rows: AuditEvent[]; onEnd?: () => void }) {
  const box = useRef<HTMLDivElement>(null);
  const [range, setRange] = useState<[number, number]>([0, 60]);
  const measure = () => {
    const el = box.current;
    if (!el) return;
    const first = Math.max(0, Math.floor(el.scrollTop / ROW) - SPARE);
    const last = Math.ceil((el.scrollTop + el.clientHeight) / ROW) + SPARE;
    setRange((old) => (old[0] === first && old[1] === last ? old : [first, last]));
    if (last >= rows.length && rows.length > 0) onEnd?.();
  };
  useEffect(() => {
    measure();
    addEventListener("resize", measure);
    return () => removeEventListener("resize", measure);
  }, [rows]);
  return (
    <div class="table" role="table" aria-rowcount={rows.length}>
      <div class="row head" role="row">
        {["time", "host", "who", "tty", "cwd", "ended", "command"].map((name) => (
          <span key={name} class={name} role="columnheader">
            {{ who: "login → user" }[name] ?? name}
          </span>
        ))}
      </div>
      <div class="rows" ref={box} onScroll={measure}>
        <div class="space" style={{ height: `${rows.length * ROW}px` }}>
          {rows.slice(range[0], range[1]).map((event, i) => (
            <Row key={event.event.id} event={event} top={(range[0] + i) * ROW} />
          ))}
        </div>
        {rows.length === 0 && <p class="empty">No events.</p>}
      </div>
    </div>
  );
}
