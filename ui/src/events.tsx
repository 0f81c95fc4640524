// The events view: query bar, time range, histogram, table, live tail.
import { batch, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { ApiError, get, url, type AuditEvent, type Histogram as HistogramAnswer, type Problem, type SearchAnswer, type TableAnswer } from "./api";
import { Drawer } from "./drawer";
import { Histogram } from "./histogram";
import { look, view } from "./state";
import { StatsTable } from "./stats";
import { EventTable } from "./table";

const PAGE_ROWS = 200;
const LIVE_ENDS = 300; // of the newest rows it is asked whether they have ended
const LIVE_ROWS = 2000; // newest kept while live

const rows = signal<AuditEvent[]>([]);
const table = signal<TableAnswer | null>(null); // instead of rows
const next = signal<string | null>(null);
const total = signal(0);
const hidden = signal(0);
const notes = signal<string[]>([]);
const problem = signal<Problem | null>(null);
const histogram = signal<HistogramAnswer | null>(null);
const busy = signal(false);
const fallback = signal(false); // the range was empty and the newest events are shown instead

const RANGES: [string, string][] = [
  ["now-15m", "Last 15 minutes"],
  ["now-1h", "Last hour"],
  ["now-24h", "Last 24 hours"],
  ["now-7d", "Last 7 days"],
  ["", "All time"],
];

let running: AbortController | null = null;

function notesOf(answer: SearchAnswer | TableAnswer): string[] {
  return [
    ...(answer.partial ? [answer.reason ? `This answer is partial: ${answer.reason}.` : "This answer is partial."] : []),
    ...("columns" in answer && answer.truncated ? [`There are more rows than these ${answer.rows.length.toLocaleString()}.`] : []),
    ...("cut_values" in answer ? [`values() holds the first 100 alone in ${answer.cut_values} places.`] : []),
    ...(answer.skipped?.length ? [`Damaged and left out: ${answer.skipped.join(", ")}.`] : []),
  ];
}

async function search(more = false): Promise<void> {
  running?.abort();
  const mine = (running = new AbortController());
  const { q, from, to, noise } = view.value;
  busy.value = true;
  try {
    const params = { q, from, to, noise, ends: q.includes("|") ? undefined : "fold", format: "json", limit: q.includes("|") ? undefined : PAGE_ROWS, after: more ? (next.value ?? undefined) : undefined };
    let answer = await get<SearchAnswer | TableAnswer>("search", params, mine.signal);
    const empty = !more && answer.rows.length === 0 && from !== "";
    if (empty) answer = await get<SearchAnswer | TableAnswer>("search", { ...params, from: "", to: "" }, mine.signal);
    const bars = more ? histogram.value : await get<HistogramAnswer>("histogram", { q, noise, buckets: 80, ...(empty ? {} : { from, to }) }, mine.signal);
    batch(() => {
      if ("columns" in answer) {
        table.value = answer;
        rows.value = [];
        next.value = null;
      } else {
        table.value = null;
        rows.value = more ? [...rows.value, ...answer.rows] : answer.rows;
        next.value = answer.next;
      }
      if (!more) {
        total.value = bars?.total ?? answer.total;
        hidden.value = bars?.hidden ?? answer.hidden;
        fallback.value = empty && answer.rows.length > 0;
      }
      notes.value = notesOf(answer);
      histogram.value = bars;
      problem.value = null;
    });
  } catch (error) {
    if (error instanceof ApiError) problem.value = error.problem;
  } finally {
    if (running === mine) busy.value = false;
  }
}

/** Whether a query asks for the ends of processes themselves, as the server decides it (docs/api.md): then they are rows. */
const ASKS_FOR_ENDS = /(^|[\s(])(action|event\.action|event\.type|of|exectrail\.of|code|process\.exit_code|duration|event\.duration|signal|process\.exit_signal)\s*[:<>=]/i;

const endsAreRows = (q: string) => q.includes("|") || ASKS_FOR_ENDS.test(q);

/** Puts what has ended meanwhile on the newest rows: ends come later than their execs, and are hidden as noise. */
async function loadEnds(): Promise<void> {
  const { q, noise } = view.value;
  if (endsAreRows(q) || !rows.value.slice(0, LIVE_ENDS).some((e) => e.event.action === "executed" && e.process?.exit_code === undefined)) return;
  const fields = { from: rows.value[Math.min(rows.value.length, LIVE_ENDS) - 1]["@timestamp"], limit: LIVE_ENDS };
  const answer = await get<SearchAnswer>("search", { q, noise, ends: "fold", format: "json", ...fields });
  const ended = new Map(answer.rows.filter((e) => e.process?.exit_code !== undefined).map((e) => [e.event.id, e]));
  rows.value = rows.value.map((e) => (e.process?.exit_code === undefined && ended.get(e.event.id)) || e);
}

/** Live: what arrives slides in at the top; the histogram follows every few seconds. */
function follow(): () => void {
  const { q, noise } = view.value;
  const source = new EventSource(url("tail", { q, noise }), { withCredentials: true });
  let waiting: AuditEvent[] = [];
  const flush = () => {
    if (!waiting.length) return;
    const fresh = waiting.reverse();
    waiting = [];
    batch(() => {
      const known = new Set(rows.value.slice(0, 500).map((e) => e.event.id));
      const added = fresh.filter((e) => !known.has(e.event.id));
      total.value += added.length;
      const shown = endsAreRows(q) ? added : added.filter((e) => e.event.action !== "exited");
      rows.value = [...shown, ...rows.value].slice(0, LIVE_ROWS);
    });
  };
  source.addEventListener("row", (e) => waiting.push(JSON.parse((e as MessageEvent).data)));
  source.addEventListener("hidden", (e) => (hidden.value += Number((e as MessageEvent).data) || 0));
  const paint = setInterval(flush, 100);
  const ends = setInterval(() => void loadEnds().catch(() => undefined), 2000); // the next turn tries again
  const bars = setInterval(async () => {
    const { from, to } = view.value;
    try {
      histogram.value = await get<HistogramAnswer>("histogram", { q, noise, buckets: 80, from, to });
    } catch {
      // the next turn tries again
    }
  }, 5000);
  return () => {
    source.close();
    clearInterval(paint);
    clearInterval(ends);
    clearInterval(bars);
  };
}

function QueryBar() {
  const input = useRef<HTMLInputElement>(null);
  const v = view.value;
  useEffect(() => {
    if (input.current && document.activeElement !== input.current) input.current.value = v.q;
  }, [v.q]);
  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      if (e.key === "/" && !(e.target instanceof HTMLInputElement)) {
        e.preventDefault();
        input.current?.focus();
      }
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, []);
  const submit = (e: Event) => {
    e.preventDefault();
    look({ q: input.current!.value.trim(), event: "" });
  };
  const clear = () => {
    input.current!.value = "";
    look({ q: "", event: "" });
  };
  return (
    <form class="query" onSubmit={submit} role="search">
      <div class="query-box">
        <input
          ref={input}
          name="q"
          aria-label="Query"
          aria-invalid={problem.value !== null}
          autocomplete="off"
          spellcheck={false}
          placeholder='user:alice and cmd:*nmap*   uid < 1000   tty:"(none)"   ( / to type)'
        />
        {v.q && (
          <button type="button" class="clear" onClick={clear} title="Clear the filter" aria-label="Clear the filter">
            ×
          </button>
        )}
      </div>
      <button type="submit" class="primary">Search</button>
      <TimeRange />
      <button
        type="button"
        class={v.live ? "live on" : "live"}
        aria-pressed={v.live}
        onClick={() => look({ live: !v.live, ...(v.live ? {} : { to: "" }) })}
      >
        <i /> Live
      </button>
    </form>
  );
}

function TimeRange() {
  const { from, to } = view.value;
  const known = RANGES.some(([value]) => value === from) && !to;
  return (
    <select aria-label="Time range" value={known ? from : "custom"} onChange={(e) => look({ from: e.currentTarget.value, to: "", event: "" })}>
      {!known && <option value="custom">{`${new Date(from).toLocaleString()} to ${to ? new Date(to).toLocaleString() : "now"}`}</option>}
      {RANGES.map(([value, name]) => (
        <option key={value} value={value}>
          {name}
        </option>
      ))}
    </select>
  );
}

function ProblemLine() {
  const p = problem.value;
  if (!p) return null;
  return (
    <div class="problem" role="alert">
      {p.column ? <pre>{view.value.q + "\n" + " ".repeat(p.column - 1) + "^"}</pre> : null}
      {p.sentence}
      {p.hint ? `; ${p.hint}` : ""}
    </div>
  );
}

function SumLine() {
  const { noise, live } = view.value;
  return (
    <div class="sumline" aria-live="polite">
      <span>
        {table.value ? `${table.value.rows.length.toLocaleString()} rows of ` : ""}{total.value.toLocaleString()} events{busy.value ? " …" : ""}
      </span>
      {noise === "hide" ? (
        <button class="link" onClick={() => look({ noise: "show" })} title="Show what is tagged as noise">
          {hidden.value.toLocaleString()} hidden as noise: show
        </button>
      ) : (
        <button class="link" onClick={() => look({ noise: "hide" })}>noise is shown: hide</button>
      )}
      {fallback.value && <span class="note">Nothing in this range; these are the newest events.</span>}
      {live && <span class="note">Live: run <code>whoami</code> in any terminal</span>}
      {notes.value.map((note) => (
        <b class="bad" key={note}>
          {note}
        </b>
      ))}
      <span class="grow" />
      {(["csv", "ndjson"] as const).map((format) => (
        <a key={format} download={`exectrail.${format}`} href={url("search", { q: view.value.q, from: view.value.from, to: view.value.to, noise, format, download: 1 })}>
          {format.toUpperCase()}
        </a>
      ))}
    </div>
  );
}

export function Events() {
  const { q, from, to, noise, live } = view.value;
  useEffect(() => void search(), [q, from, to, noise]);
  useEffect(() => (live ? follow() : undefined), [q, noise, live]);
  return (
    <main class="events">
      <QueryBar />
      <ProblemLine />
      <div class="stage">
        {histogram.value && <Histogram data={histogram.value} onRange={(a, b) => look({ from: new Date(a).toISOString(), to: new Date(b).toISOString(), live: false })} />}
        <SumLine />
        {table.value ? <StatsTable answer={table.value} /> : <EventTable rows={rows.value} onEnd={() => !live && next.value && !busy.value && void search(true)} />}
        <Drawer />
      </div>
    </main>
  );
}
