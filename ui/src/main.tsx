import { render } from "preact";
import { Alerts } from "./alerts";
import { Events } from "./events";
import { Hosts } from "./hosts";
import { SessionPage } from "./session";
import { isDemo, loggedIn, loginProblem, look, start, status, view, type View } from "./state";

const PAGES: [View["page"], string][] = [
  ["events", "Events"],
  ["alerts", "Alerts"],
  ["hosts", "Hosts"],
];

function Header() {
  const open = status.value?.alerts_open ?? 0;
  return (
    <header>
      <a class="brand" href="#/events" onClick={(e) => (e.preventDefault(), look({ page: "events", q: "", from: "", to: "", event: "" }))}>
        Exectrail
      </a>
      <nav>
        {PAGES.map(([page, name]) => (
          <a
            key={page}
            href={`#/${page}`}
            aria-current={view.value.page === page ? "page" : undefined}
            onClick={(e) => (e.preventDefault(), look({ page, event: "" }))}
          >
            {name}
            {page === "alerts" && open > 0 && <span class="badge">{open}</span>}
          </a>
        ))}
      </nav>
      {status.value && (
        <span class="sum">
          {status.value.events.toLocaleString()} events, {status.value.hosts_connected} of {status.value.hosts} hosts connected
          {status.value.problem && <b class="bad"> {status.value.problem}</b>}
          {status.value.damaged > 0 && <b class="bad"> {status.value.damaged} damaged segments</b>}
        </span>
      )}
    </header>
  );
}

function LoggedOut() {
  return (
    <main class="login">
      <h1>Exectrail</h1>
      {loginProblem.value && <p class="problem">{loginProblem.value}</p>}
      <p>
        You are not logged in. On the server run <code>exectrail user link NAME --data DIR</code> and open the address that it prints; it works once.
      </p>
    </main>
  );
}

function App() {
  if (loggedIn.value === null) return null;
  if (!loggedIn.value) return <LoggedOut />;
  const page = view.value.page;
  return (
    <>
      {isDemo.value && <div class="demo" role="status">DEMO: a recorded capture is being replayed; nothing on this page runs on this host</div>}
      <Header />
      {page === "events" && <Events />}
      {page === "session" && <SessionPage />}
      {page === "alerts" && <Alerts />}
      {page === "hosts" && <Hosts />}
    </>
  );
}

render(<App />, document.getElementById("app")!);
void start();
