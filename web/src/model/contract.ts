// The documents of the HTTP API that the page reads. docs/admin.md describes their fields.

/** States of a client, the worst first. */
export const STATES = ["refused", "waiting", "behind", "absent", "in_sync"] as const;
export type State = (typeof STATES)[number];
export type States = Partial<Record<State, number>>;

export const SERVICE_STATES = ["error", "warning", "ok", "idle"] as const;
export type ServiceState = (typeof SERVICE_STATES)[number];

export const ENDPOINT_STATES = ["healthy", "draining", "unready"] as const;
export type EndpointState = (typeof ENDPOINT_STATES)[number];

export const CHANGE_KINDS = ["change", "start", "nack", "eviction", "limit"] as const;
export type ChangeKind = (typeof CHANGE_KINDS)[number];

export interface Informer {
  cluster: string;
  kind: string;
  namespace: string;
  synced: boolean;
  silent_seconds: number;
  stale: boolean;
  installed: boolean;
}

export interface Status {
  replica: string;
  version: string;
  phase: string;
  ready: boolean;
  missing: string[];
  age_seconds: number;
  time: string;
  config_age_seconds: number | null;
  services: number;
  workloads: number;
  streams: number;
  states: States;
  resources: Record<string, number>;
  problems: number;
  informers: Informer[];
  refused: Record<string, number>;
  oldest_unacked_seconds: number | null;
  absent: number;
}

export interface Port {
  number: number;
  name: string | null;
  protocol: string | null;
}

export interface Service {
  id: string;
  namespace: string;
  name: string;
  ports: Port[];
  endpoints: Record<EndpointState | "total", number>;
  zones: Record<string, number>;
  policies: string[];
  routes: string[];
  clients: { streams: number; workloads: number; states: States };
  problems: number;
  state: ServiceState;
  changed_age_seconds: number | null;
}

export interface Endpoint {
  address: string;
  port: number;
  state: EndpointState;
  zone: string | null;
  region: string | null;
  node: string | null;
  pod: string | null;
  priority: number | null;
  weight: number | null;
}

export interface PolicySection {
  section: string;
  value: string;
  source: string | null;
}

export interface PortDetail extends Port {
  endpoints: Endpoint[];
  policy: PolicySection[] | Record<string, string>;
  left_out: { address: string; reason: string }[];
}

export interface RouteBackend {
  /** null: the share fails. */
  service: string | null;
  port: number | null;
  weight: number | null;
  share: number | null;
}

export interface RouteRule {
  matches: string[];
  filters: string[];
  backends: RouteBackend[];
}

export interface Routing {
  object: string;
  rules: RouteRule[];
}

export interface Subscriber {
  workload: string;
  streams: number;
  states: States;
  since_seconds: number | null;
  names: string[];
}

export interface Problem {
  where: string;
  reason: string;
  hint: string;
}

export interface Propagation {
  count: number;
  p50_seconds: number | null;
  p99_seconds: number | null;
  max_seconds: number | null;
  /** Upper bound in seconds (null: none) and number of observations up to it from the bound before. */
  buckets: [number | null, number][];
}

export interface Load {
  locality: string;
  issued: number;
  successful: number;
  errors: number;
  in_progress: number;
}

export interface ServiceDetail extends Service {
  port_details: PortDetail[];
  routing: Routing[];
  subscribers: Subscriber[];
  problem_details: Problem[];
  propagation: Propagation;
  load: Load[];
  changes: Change[];
}

/** The clients of one workload. */
export interface Workload {
  id: string;
  namespace: string;
  name: string;
  kind: string | null;
  streams: number;
  nodes: number;
  states: States;
  state: State;
  libraries: Record<string, number>;
  zones: Record<string, number>;
  services: number;
  limitations: number;
  oldest_unacked_seconds: number | null;
  age_seconds: number;
}

export interface ClientNode {
  id: string;
  workload: string;
  client: string;
  address: string;
  zone: string | null;
  node: string | null;
  pod: string | null;
  streams: number;
  state: State;
  states: States;
  services: number;
  limitations: number;
  nack: string | null;
  age_seconds: number;
}

export interface StreamResource {
  name: string;
  version: string;
  status: string;
  error: string | null;
  sent_age_seconds: number | null;
}

export interface StreamType {
  type: string;
  wildcard: boolean;
  names: string[];
  waiting: string[];
  absent: Record<string, string>;
  absent_count: number;
  version_sent: string;
  version_acked: string;
  state: State;
  sent_age_seconds: number | null;
  acked_age_seconds: number | null;
  nack: { message: string; version: string; age_seconds: number | null } | null;
  resources?: StreamResource[];
}

export interface Stream {
  id: number;
  node: string;
  client: string;
  address: string;
  locality: Record<string, string> | null;
  identity: { method: string; name: string } | null;
  audience: string;
  service: string;
  protocol: string;
  age_seconds: number;
  state: State;
  limitations: string[];
  types: StreamType[];
}

export interface ClientDetail extends ClientNode {
  stream_details: Stream[];
}

export interface Change {
  id: string;
  replica: string;
  time: string;
  kind: ChangeKind;
  objects: string[];
  object_count: number;
  services: string[];
  service_count: number;
  resources: Record<string, string[]>;
  resource_count: number;
  text: string;
  event_to_published_seconds: number | null;
  clients: { sent: number; acked: number; nacked: number; pending: number; ended: number };
  first_sent_seconds: number | null;
  last_acked_seconds: number | null;
  complete: boolean;
  nacks: { node: string; type: string; message: string }[];
}

export interface Edge {
  workload: string;
  service: string;
  streams: number;
  state: State;
  names: string[];
}

export interface Graph {
  workloads: { id: string; streams: number; state: State }[];
  services: { id: string; state: ServiceState; endpoints: number | Service["endpoints"] }[];
  edges: Edge[];
  truncated: boolean;
}

export interface Page<T> {
  items: T[];
  total: number;
  next: string | null;
  replica: string;
}

export interface ClusterEndpoint extends Endpoint {
  locality_weight: number | null;
  share: number | null;
}

export interface TargetEndpoints {
  target: string;
  service: string | null;
  port: number | null;
  name: string | null;
  clusters: {
    name: string;
    weight: number | null;
    endpoints: ClusterEndpoint[];
    left_out: { address: string; zone: string | null; pod: string | null; reason: string }[];
  }[];
  limitations: string[];
  error: string | null;
}

export interface Explanation {
  target: { asked: string; service: string; port: number; port_name: string | null; why: string; name: string };
  facts: {
    why_no_endpoint: string[];
    protocol: { name: string; stated_by: string; note: string | null } | null;
    private: boolean;
  } & Record<string, unknown>;
  policy: PolicySection[];
  client: { name: string; namespace: string | null; zone: string | null; audience: string; limitations: string[] };
  resources: { type: string; name: string; version: string | null; absent: string | null; body: unknown }[];
  clients: { node: string; client: string; address: string; in_sync: boolean; age_seconds: number }[];
}

/** A message of /api/v1/events about a list. */
export interface Delta<T> {
  reset: boolean;
  put?: T[];
  remove?: string[];
}
