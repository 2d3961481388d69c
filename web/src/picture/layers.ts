// Layered layout of a directed graph (Sugiyama): layers by the longest path, order by barycentres, long edges by way of
// dummy nodes.

export interface LayerEdge {
  from: string;
  to: string;
}

export interface Layout {
  position: Map<string, { x: number; y: number }>;
  /** Points of each edge, from left to right, by its index. */
  paths: { x: number; y: number }[][];
  width: number;
  height: number;
}

const SWEEPS = 12;

interface Slot {
  id: string;
  layer: number;
  order: number;
  y: number;
}

/** `across` and `down` are the distances of nodes, `thin` that of lines that pass between nodes. */
export function layered(nodes: readonly string[], edges: readonly LayerEdge[], across: number, down: number, thin: number): Layout {
  const depth = depths(nodes, edges);
  const slots = new Map<string, Slot>(nodes.map((id) => [id, { id, layer: depth.get(id) ?? 0, order: 0, y: 0 }]));
  const chains = edges.map((edge, index) => chain(edge, index, slots));
  const layers: Slot[][] = [];
  for (const slot of slots.values()) (layers[slot.layer] ??= []).push(slot);
  order(layers, chains);
  const tall = (slot: Slot): number => (depth.has(slot.id) ? down : thin);
  const heights = layers.map((layer) => layer.reduce((sum, slot) => sum + tall(slot), 0));
  const height = Math.max(0, ...heights);
  for (const [index, layer] of layers.entries()) {
    let y = (height - (heights[index] ?? 0)) / 2;
    for (const slot of layer) {
      slot.y = y + tall(slot) / 2;
      y += tall(slot);
    }
  }
  const at = (slot: Slot) => ({ x: slot.layer * across, y: slot.y });
  return {
    position: new Map(nodes.map((id) => [id, at(slots.get(id) as Slot)])),
    paths: chains.map((slotsOfEdge) => slotsOfEdge.map(at)),
    width: layers.length * across,
    height,
  };
}

/** The longest path from a node without callers; edges that close a cycle do not count. */
function depths(nodes: readonly string[], edges: readonly LayerEdge[]): Map<string, number> {
  const next = Map.groupBy(edges, (edge) => edge.from);
  const called = new Set(edges.map((edge) => edge.to));
  const depth = new Map(nodes.map((id) => [id, 0]));
  const state = new Map<string, "open" | "done">();
  const finished: string[] = [];
  const kept = new Map<string, string[]>();
  function visit(id: string): void {
    state.set(id, "open");
    for (const { to } of next.get(id) ?? []) {
      if (state.get(to) === "open") continue;
      kept.set(id, [...(kept.get(id) ?? []), to]);
      if (!state.has(to)) visit(to);
    }
    state.set(id, "done");
    finished.push(id);
  }
  for (const id of [...nodes].sort((a, b) => Number(called.has(a)) - Number(called.has(b)))) if (!state.has(id)) visit(id);
  for (const id of finished.toReversed()) for (const to of kept.get(id) ?? []) depth.set(to, Math.max(depth.get(to) ?? 0, (depth.get(id) ?? 0) + 1));
  // Move each box to the right, as far as what it calls allows: lines become short.
  for (const id of finished) {
    const below = (kept.get(id) ?? []).map((to) => depth.get(to) ?? 0);
    if (below.length) depth.set(id, Math.min(...below) - 1);
  }
  return depth;
}

/** The slots of an edge: its ends, and a dummy in each layer between them. */
function chain({ from, to }: LayerEdge, index: number, slots: Map<string, Slot>): Slot[] {
  const [start, end] = [slots.get(from) as Slot, slots.get(to) as Slot];
  const step = Math.sign(end.layer - start.layer);
  const between: Slot[] = [];
  for (let layer = start.layer + step; step && layer !== end.layer; layer += step) {
    const slot = { id: `\u0000${index}/${layer}`, layer, order: 0, y: 0 };
    slots.set(slot.id, slot);
    between.push(slot);
  }
  return [start, ...between, end];
}

/** Orders each layer by the mean position of the neighbours, in sweeps to the right and back. */
function order(layers: Slot[][], chains: readonly Slot[][]): void {
  const neighbours = new Map<Slot, Slot[]>();
  for (const slots of chains)
    for (let index = 1; index < slots.length; index++) {
      const [a, b] = [slots[index - 1] as Slot, slots[index] as Slot];
      neighbours.set(a, [...(neighbours.get(a) ?? []), b]);
      neighbours.set(b, [...(neighbours.get(b) ?? []), a]);
    }
  for (const layer of layers) number(layer);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const ordered = sweep % 2 ? layers.toReversed() : layers;
    const side = sweep % 2 ? 1 : -1;
    for (const layer of ordered) {
      const mean = new Map(layer.map((slot) => [slot, barycentre(slot, neighbours.get(slot) ?? [], side)]));
      layer.sort((a, b) => (mean.get(a) ?? 0) - (mean.get(b) ?? 0) || a.order - b.order);
      number(layer);
    }
  }
}

function number(layer: Slot[]): void {
  for (const [index, slot] of layer.entries()) slot.order = (index + 0.5) / layer.length;
}

function barycentre(slot: Slot, neighbours: readonly Slot[], side: number): number {
  const near = neighbours.filter((other) => Math.sign(other.layer - slot.layer) === side);
  return near.length ? near.reduce((sum, other) => sum + other.order, 0) / near.length : slot.order;
}
