// A window of time, and the ticks of its axis.

export interface Span {
  from: number;
  to: number;
}

const STEPS_SECONDS = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400];
const SHORTEST_MS = 2000;

/** Moments between `from` and `to`, at most `most` of them, at round times of day. */
export function ticks({ from, to }: Span, most: number): number[] {
  const step = (STEPS_SECONDS.find((seconds) => (to - from) / 1000 / seconds <= most) ?? 86400) * 1000;
  const zone = new Date(from).getTimezoneOffset() * 60_000;
  const moments: number[] = [];
  for (let time = Math.ceil((from - zone) / step) * step + zone; time <= to; time += step) moments.push(time);
  return moments;
}

/** The window grown or shrunk by `factor` around a point of it (0 to 1), within `whole`. */
export function zoomed(span: Span, factor: number, around: number, whole: Span): Span {
  const length = Math.min(whole.to - whole.from, Math.max(SHORTEST_MS, (span.to - span.from) * factor));
  const centre = span.from + (span.to - span.from) * around;
  return within({ from: centre - length * around, to: centre + length * (1 - around) }, whole);
}

export function panned(span: Span, share: number, whole: Span): Span {
  const by = (span.to - span.from) * share;
  return within({ from: span.from + by, to: span.to + by }, whole);
}

function within(span: Span, whole: Span): Span {
  const length = Math.min(span.to - span.from, whole.to - whole.from);
  const from = Math.min(Math.max(span.from, whole.from), whole.to - length);
  return { from, to: from + length };
}
