// Text in pictures, where nothing wraps or clips it: cut by its measured width.

const canvas = document.createElement("canvas").getContext("2d");
const widths = new Map<string, number>();
const MOST_KEPT = 20_000;
/** Of the width: what a namespace leaves to a long name. */
const NAMESPACE_SHARE = 0.35;

/** Pixels of a text. `font`: weight and size, such as `600 12.5px`. */
function measured(text: string, font: string): number {
  const key = `${font}\n${text}`;
  let width = widths.get(key);
  if (width === undefined) {
    if (!canvas) return text.length * 8;
    canvas.font = `${font} ${getComputedStyle(document.body).fontFamily}`;
    width = canvas.measureText(text).width;
    if (widths.size >= MOST_KEPT) widths.clear();
    widths.set(key, width);
  }
  return width;
}

/** The text, or its start and its end with … between, in at most so many pixels: ends are what differs in long names. */
export function fitted(text: string, width: number, font: string): string {
  if (measured(text, font) <= width) return text;
  let [least, most] = [0, text.length - 1];
  while (least < most) {
    const middle = Math.ceil((least + most) / 2);
    if (measured(shortened(text, middle), font) <= width) least = middle;
    else most = middle - 1;
  }
  return shortened(text, least);
}

function shortened(text: string, kept: number): string {
  const end = Math.ceil(kept / 2);
  return `${text.slice(0, kept - end)}…${end ? text.slice(-end) : ""}`;
}

/** What is before a name, such as its namespace, and the name: the name has the larger part of the width. */
export function fittedName(before: string, name: string, width: number, font: string): [string, string] {
  const own = fitted(name, width - Math.min(measured(before, font), width * NAMESPACE_SHARE), font);
  return [before && fitted(before, width - measured(own, font), font), own];
}
