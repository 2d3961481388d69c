// Durations and points in time as text, and a clock that ticks.

import { signal } from "@preact/signals";
import { now } from "./store";

/** Milliseconds of `now()`, changed every second while the page is visible. */
export const clock = signal(now());
setInterval(() => {
  if (!document.hidden) clock.value = now();
}, 1000);
document.addEventListener("visibilitychange", () => {
  clock.value = now();
});

const UNITS: readonly [number, string][] = [
  [86400, "d"],
  [3600, "h"],
  [60, "m"],
  [1, "s"],
];

/** An age with its two largest units: `3d 4h`, `12m 5s`, `8s`. */
export function age(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  for (const [index, [size, unit]] of UNITS.entries()) {
    if (whole < size) continue;
    const next = UNITS[index + 1];
    if (!next) return `${whole}${unit}`;
    const rest = Math.floor((whole % size) / next[0]);
    return `${Math.floor(whole / size)}${unit}${rest ? ` ${rest}${next[1]}` : ""}`;
  }
  return "0s";
}

/** A duration with three digits: `412 µs`, `3.2 ms`, `1.25 s`. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds === 0) return "0 ms";
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${digits(seconds * 1e3)} ms`;
  if (seconds < 60) return `${digits(seconds)} s`;
  return age(seconds);
}

function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const DAY = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

/** The time of day, with the day if it is not today. */
export function moment(time: string | number): string {
  const date = new Date(time);
  const today = new Date().toDateString() === date.toDateString();
  return today ? CLOCK.format(date) : `${DAY.format(date)} ${CLOCK.format(date)}`;
}

export const count = (number: number): string => number.toLocaleString("en-US");

/** `1 stream`, `2 streams`. */
export const counted = (number: number, noun: string, plural = `${noun}s`): string =>
  `${count(number)} ${number === 1 ? noun : plural}`;
