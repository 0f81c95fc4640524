// The fleet: who reports, how, and what that mode can claim.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ApiError, get, type Host } from "./api";
import { look } from "./state";
import { clock, Visible } from "./text";

const hosts = signal<Host[] | null>(null);
const problem = signal("");

async function load(): Promise<void> {
  try {
    hosts.value = (await get<{ hosts: Host[] }>("hosts")).hosts;
    problem.value = "";
  } catch (error) {
    if (error instanceof ApiError) problem.value = error.problem.sentence;
  }
}

function Row({ host }: { host: Host }) {
  const state = host.imported ? "imported" : host.connected ? "connected" : "silent";
  return (
    <tr class={state}>
      <td>
        <button class="link" onClick={() => look({ page: "events", q: `host:"${host.name}"` })}><Visible text={host.name} /></button>
      </td>
      <td><i class={`dot ${state}`} /> {state}</td>
      <td class="time">{clock(host.last_seen)}</td>
      <td>{host.audit_mode}</td>
      <td class="claim">
        <Visible text={host.completeness} />
        {host.blind && <pre class="bad"><Visible text={host.blind} /></pre>}
      </td>
      <td class={host.lost ? "number bad" : "number"}>{host.lost}</td>
      <td class="number">{host.backlog}</td>
      <td class={host.spool_dropped ? "number bad" : "number"}>{host.spool_batches}</td>
      <td class="number">{host.events.toLocaleString()}</td>
      <td>{host.agent_version}</td>
    </tr>
  );
}

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
      <table>
        <thead>
          <tr>
            {["Host", "State", "Last seen", "Audit", "What it can claim", "Lost records", "Backlog", "Spool", "Events", "Agent"].map((name) => (
              <th key={name} scope="col">{name}</th>
            ))}
          </tr>
        </thead>
        <tbody>{hosts.value?.map((host) => <Row key={host.id} host={host} />)}</tbody>
      </table>
    </main>
  );
}
