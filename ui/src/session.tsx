// One login session: its processes as a tree, or everything it ran in the order of time.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ApiError, get, type Process, type Session, type Step, type Tree, type Who } from "./api";
import { Drawer } from "./drawer";
import { look, view } from "./state";
import { EventTable } from "./table";
import { clock, lasted, Visible } from "./text";

const session = signal<Session | null>(null);
const tree = signal<Tree | null>(null);
const asTree = signal(true);
const PROCESSES = 2000; // in the document at first, and with each click
const shown = signal(PROCESSES);
const problem = signal("");

async function load(host: string, ses: string): Promise<void> {
  try {
    const path = `sessions/${encodeURIComponent(host)}/${encodeURIComponent(ses)}`;
    session.value = await get<Session>(path);
    tree.value = await get<Tree>(`${path}/tree`);
    problem.value = "";
  } catch (error) {
    if (error instanceof ApiError) problem.value = error.problem.sentence;
  }
}

const nameOf = (w?: Who) => {
  const user = w?.user ?? String(w?.uid ?? "");
  const effective = w?.euser ?? (w?.euid === undefined ? undefined : String(w.euid));
  return effective === undefined || effective === user ? user : `${user} (effective ${effective})`;
};

/** What a process did besides the first command: what it executed next, could not execute, became. */
function StepLine({ step, depth }: { step: Step; depth: number }) {
  const said =
    step.did === "executed" ? `=> ${step.cmd || step.exe || ""}`
    : step.did === "failed" ? `could not execute ${step.cmd || step.exe || ""} (${step.error ?? "?"})`
    : step.did === "became" ? `became ${nameOf(step.to)}${step.by ? ` by ${step.by}` : ""}`
    : `${step.action ?? step.did}${step.cmd ? `: ${step.cmd}` : ""}`;
  return (
    <div class={`step ${step.did}${step.alert ? " bad" : ""}`} role="treeitem" aria-level={depth + 2} style={{ paddingLeft: `${depth * 20 + 44}px` }}>
      <button class="link" onClick={() => look({ event: step.id })}><Visible text={said.slice(0, 2000)} /></button>
    </div>
  );
}

function ProcessLine({ p }: { p: Process }) {
  const first = p.steps.findIndex((s) => s.did === "executed");
  const others = p.steps.filter((s, i) => i !== first && s.did !== "exited");
  const ended = [
    p.duration_ms === null ? "" : lasted(p.duration_ms * 1e6),
    p.exit_code === null ? "" : `exit ${p.exit_code}`,
  ].filter(Boolean).join(", ");
  const command = first >= 0 ? p.steps[first].cmd || p.steps[first].exe || "" : p.cmd || p.exe || "(unknown)";
  return (
    <>
      <div class={`process${p.steps.some((s) => s.alert) ? " bad" : ""}`} role="treeitem" aria-level={p.depth + 1} data-pid={p.pid}>
        <span class="time">{clock(p.start)}</span>
        <span class="what" style={{ paddingLeft: `${p.depth * 20}px` }}>
          {first >= 0 ? (
            <button class="link" onClick={() => look({ event: p.steps[first].id })}><Visible text={command.slice(0, 2000)} /></button>
          ) : (
            <span class="dim"><Visible text={command.slice(0, 2000)} /></span>
          )}
          <span class="dim">
            {" "}pid {p.pid}{nameOf(p.who) && ", "}<Visible text={nameOf(p.who)} />{ended && `, ${ended}`}{p.guessed && ", placed by guess"}{p.unseen && ", executed nothing here"}
          </span>
        </span>
      </div>
      {others.map((step, i) => <StepLine key={i} step={step} depth={p.depth} />)}
    </>
  );
}

/** Without those that made nothing but noise, and are nobody's parent. The tree comes whole: the ends of processes are noise too. */
function quiet(processes: Process[]): Process[] {
  const kept = new Set<number>();
  for (const p of [...processes].reverse()) {
    if (!kept.has(p.process) && !p.steps.some((s) => s.did !== "exited" && (!s.noise || s.alert))) continue;
    kept.add(p.process);
    if (p.parent !== null) kept.add(p.parent);
  }
  return processes.filter((p) => kept.has(p.process));
}

function ProcessTree() {
  const t = tree.value;
  if (!t) return null;
  const processes = view.value.noise === "show" ? t.processes : quiet(t.processes);
  return (
    <div class="tree" role="tree" aria-label="Processes">
      {processes.slice(0, shown.value).map((p) => <ProcessLine key={p.process} p={p} />)}
      {processes.length > shown.value && (
        <button onClick={() => (shown.value += PROCESSES)}>{`${(processes.length - shown.value).toLocaleString()} more processes`}</button>
      )}
      {t.truncated && <p class="bad">The session has more processes than can be shown.</p>}
    </div>
  );
}

export function SessionPage() {
  const { host, ses, noise } = view.value;
  useEffect(() => {
    session.value = tree.value = null;
    shown.value = PROCESSES;
    void load(host, ses);
    const again = setInterval(() => void load(host, ses), 5000);
    return () => clearInterval(again);
  }, [host, ses]);
  const s = session.value;
  const rows = (s?.rows ?? []).filter((e) => noise === "show" || !e.exectrail?.noise || e.rule?.id);
  const hidden = (s?.rows.length ?? 0) - rows.length;
  return (
    <main class="events session">
      <h1>
        Session {ses} on <Visible text={host} />
        {s && s.n_alerts > 0 && <b class="mark critical">{s.n_alerts} alerts</b>}
      </h1>
      {problem.value && <p class="problem">{problem.value}</p>}
      {s && (
        <p class="sumline">
          <span>
            <b><Visible text={s.login ?? s.user ?? ""} /></b>
            {s.from && <> from <Visible text={s.from} /></>}, {clock(s.first)} to {clock(s.last)}, {rows.length.toLocaleString()} events
          </span>
          <button class="link as" onClick={() => (asTree.value = !asTree.value)}>{asTree.value ? "as a list" : "as a tree"}</button>
          <button class="link" onClick={() => look({ noise: noise === "show" ? "hide" : "show" })}>
            {noise === "show" ? "noise is shown: hide" : `${hidden.toLocaleString()} hidden as noise: show`}
          </button>
        </p>
      )}
      <div class="stage">
        {asTree.value ? <ProcessTree /> : <EventTable rows={rows} />}
        <Drawer />
      </div>
    </main>
  );
}
