// One login session: everything it ran, in the order of time.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ApiError, get, type Session } from "./api";
import { Drawer } from "./drawer";
import { look, view } from "./state";
import { EventTable } from "./table";
import { clock, Visible } from "./text";

const session = signal<Session | null>(null);
const problem = signal("");

async function load(host: string, ses: string): Promise<void> {
  try {
    session.value = await get<Session>(`sessions/${encodeURIComponent(host)}/${encodeURIComponent(ses)}`);
    problem.value = "";
  } catch (error) {
    if (error instanceof ApiError) problem.value = error.problem.sentence;
  }
}

export function SessionPage() {
  const { host, ses, noise } = view.value;
  useEffect(() => {
    session.value = null;
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
          <button class="link" onClick={() => look({ noise: noise === "show" ? "hide" : "show" })}>
            {noise === "show" ? "noise is shown: hide" : `${hidden.toLocaleString()} hidden as noise: show`}
          </button>
        </p>
      )}
      <div class="stage">
        <EventTable rows={rows} />
        <Drawer />
      </div>
    </main>
  );
}
