// What the server has sent, by topic. Views read these signals; only messages of the server change them.

import { batch, computed, signal, type Signal } from "@preact/signals";
import type { Change, Delta, Edge, Problem, Service, Status, Workload } from "./contract";
import { Events, type Message } from "./event_source";

/** An item, and the moment it came, to which its ages relate. */
export type Received<T> = T & { readonly at: number };

/** Items by id; the signal gets a new map for every message. */
export type Items<T> = Signal<ReadonlyMap<string, Received<T>>>;

const CHANGES = 4096;

export const status = signal<Received<Status> | null>(null);
export const services: Items<Service> = signal(new Map());
export const workloads: Items<Workload> = signal(new Map());
export const changes: Items<Change> = signal(new Map());
export const problems = signal<readonly Problem[]>([]);
/** Topics of which the first message has come. */
export const loaded = signal<ReadonlySet<string>>(new Set());

/** Worst first, then by id. */
export const sortedProblems = computed(() => problems.value.toSorted((a, b) => a.where.localeCompare(b.where)));

/** Milliseconds of the clock that ages relate to. */
export const now = (): number => performance.now();

function applied<T extends { id: string }>(old: ReadonlyMap<string, Received<T>>, delta: Delta<T>): Map<string, Received<T>> {
  const map = new Map(delta.reset ? [] : old);
  const at = now();
  for (const id of delta.remove ?? []) map.delete(id);
  for (const item of delta.put ?? []) map.set(item.id, { ...item, at });
  return map;
}

/** The newest changes only: their ids are numbers. */
function bounded(map: Map<string, Received<Change>>): Map<string, Received<Change>> {
  for (const id of map.keys()) {
    if (map.size <= CHANGES) break;
    map.delete(id);
  }
  return map;
}

function receive(messages: Message[]): void {
  batch(() => {
    for (const { topic, data } of messages) {
      if (topic === "status") status.value = { ...(data as Status), at: now() };
      else if (topic === "services") services.value = applied(services.value, data as Delta<Service>);
      else if (topic === "clients") workloads.value = applied(workloads.value, data as Delta<Workload>);
      else if (topic === "changes") changes.value = bounded(applied(changes.value, data as Delta<Change>));
      else if (topic === "problems") problems.value = (data as Delta<Problem>).put ?? [];
      if (!loaded.value.has(topic)) loaded.value = new Set([...loaded.value, topic]);
    }
  });
}

let main: Events | null = null;

export function events(): Events {
  main ??= new Events(["status", "services", "clients", "changes", "problems"], receive);
  return main;
}

/** Edges of the graph, which only some views need: a connection of their own while they are shown. */
export type EdgeItem = Edge & { id: string };
export const edges: Items<EdgeItem> = signal(new Map());
export const edgesLoaded = signal(false);

export function watchEdges(): () => void {
  const connection = new Events(["graph"], (messages) => {
    batch(() => {
      for (const { data } of messages) edges.value = applied(edges.value, data as Delta<EdgeItem>);
      edgesLoaded.value = true;
    });
  });
  return () => connection.close();
}
