// The HTTP API (docs/api.md) as typed functions. Every answer is data written by whoever ran a command: show it as text only.

export interface Problem {
  sentence: string;
  hint?: string;
  line?: number;
  column?: number;
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem,
  ) {
    super(problem.sentence);
  }
}

export interface AuditPath {
  item?: number;
  name?: string;
  nametype?: string;
  [key: string]: unknown;
}

/** One event as an ECS document; only what the page itself reads is named here. */
export interface AuditEvent {
  "@timestamp": string;
  event: { id: string; action?: string; outcome?: string; code?: string; sequence?: number; duration?: number };
  host?: { name?: string; id?: string };
  user?: { id?: string; name?: string; audit?: { id?: string; name?: string }; effective?: { name?: string } };
  process?: {
    pid?: number;
    executable?: string;
    name?: string;
    args?: string[];
    command_line?: string;
    working_directory?: string;
    exit_code?: number;
    exit_signal?: number;
    parent?: { pid?: number; executable?: string; command_line?: string };
  };
  auditd?: { session?: string; data?: Record<string, unknown>; paths?: AuditPath[] };
  source?: { ip?: string };
  message?: string;
  rule?: { id?: string[]; level?: string };
  exectrail?: { noise?: string; flags?: string[]; cursor?: string; of?: string };
  [key: string]: unknown;
}

export interface SearchAnswer {
  rows: AuditEvent[];
  next: string | null;
  total: number;
  hidden: number;
  partial: boolean;
  reason?: string;
  truncated: boolean;
  skipped: string[];
  took_ms: number;
}

export type TableValue = string | number | string[] | null;

export interface TableColumn {
  name: string;
  type: "text" | "number" | "time" | "list";
  field?: string; // absent: computed
}

/** What a query with stages answers when they make a table. */
export interface TableAnswer extends Omit<SearchAnswer, "rows" | "next"> {
  rows: TableValue[][];
  columns: TableColumn[];
  filter: string; // what stands before the stages
  cut_values?: number;
}

export interface Histogram {
  from: number;
  to: number;
  interval_ms: number;
  buckets: [number, number][];
  total: number;
  hidden: number;
}

export interface Alert {
  id: number;
  status: string;
  count: number;
  first: string;
  last: string;
  host: string;
  user: string;
  rule: { id: string; name: string; level: string; author?: string };
  event: AuditEvent | null; // null: it was erased
}

export interface Host {
  id: string;
  name: string;
  state: "connected" | "silent" | "stopped" | "revoked" | "quarantined" | "imported";
  connected: boolean;
  imported: boolean;
  last_seen: string | null;
  audit_mode: string;
  completeness: string;
  blind: string;
  lost: number;
  backlog: number;
  spool_batches: number;
  spool_bytes: number;
  spool_max_bytes: number;
  spool_oldest_s?: number;
  flood_counted: number;
  spool_dropped: number;
  agent_version: string;
  events: number;
  group: string;
  revoked: boolean;
  refused: string;
  quarantined: boolean;
  cloned: boolean;
  clone_address?: string;
  proved?: Proved;
}

/** What heartbeats prove of a host and a time; counts of what they do not. */
export interface Proved {
  from: string;
  to: string;
  complete: boolean;
  waiting: boolean;
  [count: string]: number | string | boolean | null;
}

export interface Gap {
  kind: string;
  what: string;
  from: string;
  to: string;
  n: number;
}

export interface Status {
  version: string;
  demo: boolean;
  events: number;
  hosts: number;
  hosts_connected: number;
  alerts_open: number;
  damaged: number;
  storing: boolean;
  problem?: string; // why nothing is stored
}

export interface Session {
  host: string;
  ses: number | string;
  user?: string;
  login?: string;
  from?: string;
  first: string;
  last: string;
  n_events: number;
  n_hidden: number;
  n_alerts: number;
  rows: AuditEvent[];
}

export interface Who {
  uid?: number;
  user?: string;
  euid?: number;
  euser?: string;
}

export interface Step {
  did: "executed" | "failed" | "became" | "reported" | "exited";
  time: string;
  id: string;
  action?: string;
  cmd?: string;
  exe?: string;
  error?: number;
  refused?: boolean;
  alert?: unknown;
  noise?: unknown;
  to?: Who;
  by?: string;
}

/** A process of a session's tree (docs/sessions.md). */
export interface Process {
  process: number;
  parent: number | null;
  depth: number;
  pid: number;
  unseen: boolean;
  guessed: boolean;
  start: string;
  end: string | null;
  duration_ms: number | null;
  exit_code: number | null;
  exe?: string;
  cmd?: string;
  who?: Who;
  steps: Step[];
}

export interface Tree {
  n_processes: number;
  partial: boolean;
  truncated: boolean;
  processes: Process[];
}

export type Params = Record<string, string | number | undefined>;

export function url(path: string, params: Params = {}): string {
  const query = Object.entries(params)
    .filter(([, value]) => value !== undefined && value !== "")
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`)
    .join("&");
  return `/api/v1/${path}${query ? "?" + query : ""}`;
}

async function call<T>(method: string, path: string, params: Params, options: { body?: unknown; signal?: AbortSignal } = {}): Promise<T> {
  let response: Response;
  try {
    response = await fetch(url(path, params), {
      method,
      signal: options.signal,
      credentials: "same-origin",
      headers: options.body === undefined ? {} : { "Content-Type": "application/json" },
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
    });
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    throw new ApiError(0, { sentence: "the server does not answer", hint: "is exectrail server still running?" });
  }
  const text = await response.text();
  if (!response.ok) {
    let problem: Problem = { sentence: `the server answered ${response.status}` };
    try {
      problem = JSON.parse(text).error ?? problem;
    } catch {
      // not a document of ours: the status says enough
    }
    throw new ApiError(response.status, problem);
  }
  return (text ? JSON.parse(text) : {}) as T;
}

export const get = <T>(path: string, params: Params = {}, signal?: AbortSignal) => call<T>("GET", path, params, { signal });
export const post = <T>(path: string, body?: unknown, params: Params = {}) => call<T>("POST", path, params, { body });
