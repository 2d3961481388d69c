// An age that grows while it is shown.

import { age, clock } from "../model/time";

/** `seconds` is the age when it was received, at `at` milliseconds of the page's clock. */
export function Age({ seconds, at, suffix = "" }: { seconds: number | null | undefined; at: number; suffix?: string }) {
  if (seconds === null || seconds === undefined) return <span class="dim">–</span>;
  const since = new Date(Date.now() - (performance.now() - at) - seconds * 1000);
  return (
    <span class="number" title={`since ${since.toLocaleString()}`}>
      {age(seconds + Math.max(0, clock.value - at) / 1000)}
      {suffix}
    </span>
  );
}
