// The fleet: who reports, how, what that mode can claim, and what is proved of the last day.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ApiError, get, post, type Gap, type Host, type Proved } from "./api";
import { look } from "./state";
import { clock, visible, Visible } from "./text";

const hosts = signal<Host[] | null>(null);
const problem = signal("");
const refusal = signal(""); // of what was asked for last
const opened = signal(""); // id of the host whose gaps are shown
const gaps = signal<Gap[] | null>(null);

const sentenceOf = (error: unknown) => (error instanceof ApiError ? error.problem.sentence : "");

async function load(): Promise<void> {
  try {
    hosts.value = (await get<{ hosts: Host[] }>("hosts")).hosts;
    problem.value = "";
    const shown = hosts.value.find((host) => host.id === opened.value);
    if (shown) await loadGaps(shown); // else they would contradict the counts beside them
  } catch (error) {
    problem.value = sentenceOf(error);
  }
}

async function change(host: Host, what: string, params: Record<string, string> = {}): Promise<void> {
  refusal.value = "";
  try {
    await post(`hosts/${encodeURIComponent(host.id)}/${what}`, undefined, params);
    await load();
  } catch (error) {
    refusal.value = sentenceOf(error);
  }
}

async function loadGaps(host: Host): Promise<void> {
  try {
    const answer = await get<{ hosts: { gaps?: Gap[] }[] }>(`hosts/${encodeURIComponent(host.id)}/completeness`, { from: host.proved?.from });
    if (opened.value === host.id) gaps.value = answer.hosts.flatMap((h) => h.gaps ?? []);
  } catch (error) {
    refusal.value = sentenceOf(error);
  }
}

async function open(host: Host): Promise<void> {
  opened.value = opened.value === host.id ? "" : host.id;
  gaps.value = null;
  if (opened.value) await loadGaps(host);
}

/** Counts above zero, in words. */
const COUNTS: [string, string][] = [
  ["kernel_lost", "records lost by the kernel"],
  ["agent_lost", "lost by the agent"],
  ["unaudited", "execs that audit did not tell of"],
  ["unseen", "audit events that nobody saw"],
  ["spool_dropped", "dropped from the spool"],
  ["new_streams", "streams begun anew"],
  ["canaries_lost", "known execs that did not come back"],
  ["silent_s", "s silent"],
  ["stopped_s", "s stopped"],
  ["audit_off_s", "s audit off"],
  ["audit_taken_s", "s audit taken by another"],
  ["paused_s", "s paused"],
  ["hidden_s", "s with rules that hide"],
  ["unproven_s", "s in a mode that proves nothing"],
];

function Completeness({ host }: { host: Host }) {
  const proved: Proved | undefined = host.proved;
  if (!proved) return <span class="dim">nothing is proved: no heartbeat</span>;
  const counts = COUNTS.filter(([key]) => Number(proved[key]) > 0);
  return (
    <>
      <button class={proved.complete ? "link good" : "link bad"} aria-expanded={opened.value === host.id} onClick={() => void open(host)}>
        {proved.complete ? "complete" : "incomplete"}
      </button>
      {proved.waiting && <span class="dim"> (its newest events are on their way)</span>}
      {counts.map(([key, words]) => (
        <div class="gap" key={key}>{`${Number(proved[key]).toLocaleString()} ${words}`}</div>
      ))}
    </>
  );
}

function Gaps() {
  if (!gaps.value) return <p class="dim">…</p>;
  if (gaps.value.length === 0) return <p class="dim">No gap in the last day.</p>;
  return (
    <ul class="gaps">
      {gaps.value.map((gap, i) => (
        <li key={i}>
          <span class="time">{clock(gap.from)} to {clock(gap.to)}</span> <Visible text={gap.what || gap.kind} />
          {gap.n > 0 && ` (${gap.n.toLocaleString()})`}
        </li>
      ))}
    </ul>
  );
}

function Group({ host }: { host: Host }) {
  const ask = () => {
    const group = prompt(`Group of ${visible(host.name)} (empty: none)`, host.group);
    if (group !== null && group !== host.group) void change(host, "group", { group: group.trim() });
  };
  return (
    <button class="link group" onClick={ask} title="Put it into a group"><Visible text={host.group || "none"} /></button>
  );
}

function Actions({ host }: { host: Host }) {
  if (host.imported) return null;
  const quarantine = () => confirm(`Refuse ${visible(host.name)} until it is released? Its agent goes on recording.`) && void change(host, "quarantine");
  return host.quarantined || host.cloned ? (
    <button onClick={() => void change(host, "release")}>Release</button>
  ) : (
    <button onClick={quarantine}>Quarantine</button>
  );
}

/** What waits at the host: batches, and from a hundredth of its room on how full it is and how long the oldest waits. */
function Spool({ host }: { host: Host }) {
  const percent = host.spool_max_bytes ? Math.floor((host.spool_bytes * 100) / host.spool_max_bytes) : 0;
  return (
    <>
      {host.spool_batches}
      {percent > 0 && <div class="fill">{percent} % full</div>}
      {percent > 0 && host.spool_oldest_s !== undefined && <div class="fill">oldest {host.spool_oldest_s} s</div>}
    </>
  );
}
const spoolTitle = (host: Host) =>
  `${host.spool_dropped} events were dropped, ${host.flood_counted} of storms were counted`;

function Row({ host }: { host: Host }) {
  const state = host.state;
  return (
    <>
      <tr class={state} data-host={host.id}>
        <td>
          <button class="link" onClick={() => look({ page: "events", q: `host:"${host.name}"` })}><Visible text={host.name} /></button>
        </td>
        <td><Group host={host} /></td>
        <td>
          <span class="state"><i class={`dot ${state}`} /> {state}</span>
          {host.cloned && <div class="bad">cloned: <Visible text={host.clone_address ?? ""} /> is refused</div>}
          {!host.cloned && host.refused && <div class="bad">refused: <Visible text={host.refused} /></div>}
        </td>
        <td class="time">{clock(host.last_seen)}</td>
        <td>{host.audit_mode}</td>
        <td class="proved"><Completeness host={host} /></td>
        <td class="claim">
          <Visible text={host.completeness} />
          {host.blind && <pre class="bad"><Visible text={host.blind} /></pre>}
        </td>
        <td class={host.lost ? "number bad" : "number"}>{host.lost}</td>
        <td class="number">{host.backlog}</td>
        <td class={host.spool_dropped ? "number spool bad" : "number spool"} title={spoolTitle(host)}><Spool host={host} /></td>
        <td class="number">{host.events.toLocaleString()}</td>
        <td>{host.agent_version}</td>
        <td><Actions host={host} /></td>
      </tr>
      {opened.value === host.id && (
        <tr class="evidence"><td colSpan={COLUMNS.length}><Gaps /></td></tr>
      )}
    </>
  );
}

const COLUMNS = ["Host", "Group", "State", "Last seen", "Audit", "The last day", "What it can claim", "Lost records", "Backlog", "Spool", "Events", "Agent", ""];

export function Hosts() {
  useEffect(() => {
    void load();
    const again = setInterval(() => void load(), 3000);
    return () => clearInterval(again);
  }, []);
  return (
    <main class="list">
      <h1>Hosts</h1>
      {problem.value && <p class="problem">{problem.value}</p>}
      {refusal.value && <p class="problem" role="alert">{refusal.value}</p>}
      <table>
        <thead>
          <tr>
            {COLUMNS.map((name) => (
              <th key={name} scope="col">{name}</th>
            ))}
          </tr>
        </thead>
        <tbody>{hosts.value?.map((host) => <Row key={host.id} host={host} />)}</tbody>
      </table>
    </main>
  );
}
