// Alerts: what rules found, newest first.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ApiError, get, post, type Alert } from "./api";
import { Drawer } from "./drawer";
import { look, refresh } from "./state";
import { clock, commandOf, Visible } from "./text";

const alerts = signal<Alert[] | null>(null);
const problem = signal("");

async function load(): Promise<void> {
  try {
    alerts.value = (await get<{ alerts: Alert[] }>("alerts", { limit: 500 })).alerts;
    problem.value = "";
  } catch (error) {
    if (error instanceof ApiError) problem.value = error.problem.sentence;
  }
}

async function act(alert: Alert, what: "ack" | "close" | "reopen"): Promise<void> {
  try {
    await post(`alerts/${alert.id}/${what}`);
  } catch (error) {
    if (error instanceof ApiError) problem.value = error.problem.sentence;
  }
  await load();
  await refresh();
}

function Row({ alert }: { alert: Alert }) {
  const event = alert.event;
  return (
    <tr class={`alert ${alert.status}`} data-id={alert.id}>
      <td><b class={`mark ${alert.rule.level}`}>{alert.rule.level}</b></td>
      <td class="time" title={alert.first}>{clock(alert.last)}</td>
      <td><Visible text={alert.host} /></td>
      <td><Visible text={alert.user} /></td>
      <td>
        <Visible text={alert.rule.name} />
        {alert.rule.author && <span class="dim"> by <Visible text={alert.rule.author} /></span>}
      </td>
      <td class="number">{alert.count}</td>
      <td class="command">
        {event ? (
          <button class="link" onClick={() => look({ event: event.event.id })}>
            <code><Visible text={commandOf(event).slice(0, 500)} /></code>
          </button>
        ) : (
          <span class="dim">erased</span>
        )}
      </td>
      <td>{alert.status}</td>
      <td class="buttons">
        {alert.status === "open" && <button onClick={() => void act(alert, "ack")}>Acknowledge</button>}
        {alert.status !== "closed" && <button onClick={() => void act(alert, "close")}>Close</button>}
        {alert.status === "closed" && <button onClick={() => void act(alert, "reopen")}>Reopen</button>}
      </td>
    </tr>
  );
}

export function Alerts() {
  useEffect(() => {
    void load();
    const again = setInterval(() => void load(), 3000);
    return () => clearInterval(again);
  }, []);
  return (
    <main class="list">
      <h1>Alerts</h1>
      {problem.value && <p class="problem">{problem.value}</p>}
      {alerts.value?.length === 0 && <p class="empty">No alerts.</p>}
      {!!alerts.value?.length && (
        <table>
          <thead>
            <tr>
              {["Level", "Last", "Host", "User", "Rule", "Events", "Command", "Status", ""].map((name) => (
                <th key={name} scope="col">{name}</th>
              ))}
            </tr>
          </thead>
          <tbody>{alerts.value.map((alert) => <Row key={alert.id} alert={alert} />)}</tbody>
        </table>
      )}
      <Drawer />
    </main>
  );
}
