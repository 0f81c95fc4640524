// What the page is looking at. The address after # says it all, so that a link reproduces the view:
//   #/events?q=…&from=…&to=…&noise=show&live=1   #/session/HOST/SES   #/alerts   #/hosts
import { computed, effect, signal } from "@preact/signals";
import { ApiError, get, type Status } from "./api";

export interface View {
  page: "events" | "session" | "alerts" | "hosts";
  q: string;
  from: string;
  to: string;
  noise: "hide" | "show";
  live: boolean;
  host: string;
  ses: string;
  event: string; // id of the event whose drawer is open
}

const START: View = { page: "events", q: "", from: "", to: "", noise: "hide", live: false, host: "", ses: "", event: "" };

export const view = signal<View>({ ...START });
export const loggedIn = signal<boolean | null>(null); // null: not known yet
export const loginProblem = signal("");
export const status = signal<Status | null>(null);
export const isDemo = computed(() => status.value?.demo ?? false);

export function parseView(hash: string): View {
  const [path, query = ""] = hash.replace(/^#/, "").split("?");
  const params = new URLSearchParams(query);
  const words = path.split("/").filter(Boolean).map(decodeURIComponent);
  const page = (["events", "session", "alerts", "hosts"] as const).find((p) => p === words[0]) ?? "events";
  return {
    ...START,
    page,
    host: words[1] ?? "",
    ses: words[2] ?? "",
    q: params.get("q") ?? "",
    from: params.get("from") ?? "",
    to: params.get("to") ?? "",
    noise: params.get("noise") === "show" ? "show" : "hide",
    live: params.get("live") === "1",
    event: params.get("event") ?? "",
  };
}

export function formatView(v: View): string {
  const params = new URLSearchParams();
  for (const name of ["q", "from", "to", "event"] as const) if (v[name]) params.set(name, v[name]);
  if (v.noise === "show") params.set("noise", "show");
  if (v.live) params.set("live", "1");
  const path = v.page === "session" ? `session/${encodeURIComponent(v.host)}/${encodeURIComponent(v.ses)}` : v.page;
  const query = params.toString();
  return `#/${path}${query ? "?" + query : ""}`;
}

/** Changes part of the view; a new page or query is a step that "back" undoes. */
export function look(change: Partial<View>): void {
  const next = { ...view.value, ...change };
  const hash = formatView(next);
  const step = change.page !== undefined || change.q !== undefined || change.from !== undefined;
  view.value = next;
  if (hash !== location.hash) history[step ? "pushState" : "replaceState"](null, "", hash);
}

/** The link that `user link` prints carries #login=SECRET&live=1&q=…: trade the secret for a cookie and forget it. */
export async function start(): Promise<void> {
  const hash = location.hash;
  if (hash.startsWith("#login=")) {
    const params = new URLSearchParams(hash.slice(1));
    view.value = { ...START, q: params.get("q") ?? "", live: params.get("live") === "1" };
    history.replaceState(null, "", formatView(view.value));
    await login(params.get("login") ?? "");
  } else {
    view.value = parseView(hash);
    await refresh();
  }
  window.addEventListener("popstate", () => (view.value = parseView(location.hash)));
  setInterval(refresh, 10000);
}

async function login(secret: string): Promise<void> {
  try {
    const answer = await fetch("/api/v1/login", {
      method: "POST",
      credentials: "same-origin",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ secret }),
    });
    if (!answer.ok) {
      const problem = (await answer.json()).error;
      loginProblem.value = [problem.sentence, problem.hint].filter(Boolean).join("; ");
    }
  } catch {
    loginProblem.value = "the server does not answer";
  }
  await refresh();
}

export async function refresh(): Promise<void> {
  try {
    status.value = await get<Status>("status");
    loggedIn.value = true;
  } catch (error) {
    if (error instanceof ApiError && (error.status === 401 || error.status === 403)) loggedIn.value = false;
    else if (loggedIn.value === null) loggedIn.value = false;
  }
}

effect(() => {
  const open = status.value?.alerts_open ?? 0;
  document.title = `${open ? `(${open}) ` : ""}Exectrail`;
});
