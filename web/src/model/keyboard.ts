// Keys of the whole page. Keys of a list, the graph and the timeline are with them.

import { overlay } from "./overlay";
import { go, link, route } from "./route";
import { setTheme, theme } from "./theme";

const SEQUENCE_MS = 1500;
/** What takes the arrows in a view, and how many frames it may take until it is there. */
const LIST = ".main > .table, .split > .table, .matrix, .graph";
const FRAMES = 180;

export interface Target {
  view: string;
  letter: string;
}

export function listen(views: readonly Target[]): void {
  let pressed = -Infinity;
  addEventListener("keydown", (event) => {
    if (event.key === "k" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      overlay.value = "find";
      return;
    }
    const inField = event.target instanceof Element && event.target.closest("input, select, textarea");
    if (event.key === "Escape" && !overlay.value) return escape(event.target);
    if (inField || event.ctrlKey || event.metaKey || event.altKey || overlay.value) return;
    const after = event.timeStamp - pressed < SEQUENCE_MS;
    pressed = -Infinity;
    const target = after ? views.find(({ letter }) => letter === event.key) : /^[1-9]$/.test(event.key) ? views[Number(event.key) - 1] : undefined;
    if (target) open(target.view);
    else if (event.key === "g") pressed = event.timeStamp;
    else if (event.key === "/") search();
    else if (event.key === "?") overlay.value = "help";
    else if (event.key === "d") setTheme(theme.value === "dark" ? "light" : "dark");
    else if (event.key === "j" || event.key === "k" || event.key === "ArrowDown") return intoList(event);
    else return;
    event.preventDefault();
  });
}

/** A view, with the focus on its list, so that the arrows work at once. */
function open(view: string): void {
  const old = document.querySelector(LIST);
  go(link(view));
  let frames = FRAMES;
  const focus = (): void => {
    const list = document.querySelector<HTMLElement>(LIST);
    if (list && list !== old) list.focus({ preventScroll: true });
    else if (frames-- > 0 && location.hash === link(view)) requestAnimationFrame(focus);
  };
  requestAnimationFrame(focus);
}

function search(): void {
  const field = document.querySelector<HTMLInputElement>("[data-search]");
  if (field) field.select();
  else overlay.value = "find";
}

/** Leave a field, clear it, or go from an object to its list. */
function escape(target: EventTarget | null): void {
  if (target instanceof HTMLInputElement) {
    if (target.value && target.type === "search") {
      target.value = "";
      target.dispatchEvent(new Event("input", { bubbles: true }));
    } else target.blur();
    return;
  }
  const { path, query } = route.peek();
  const [view, id] = path;
  if (view && id !== undefined) go(link(view === "nodes" ? "clients" : view, "", view === "changes" ? Object.fromEntries(query) : {}));
  else if (view && query.has("focus")) history.back();
}

/** The first arrow outside of a list moves the focus into it. */
function intoList(event: KeyboardEvent): void {
  const list = document.querySelector<HTMLElement>(LIST);
  if (!list || list.contains(document.activeElement) || document.activeElement?.closest(".graph, .timeline, .matrix")) return;
  event.preventDefault();
  list.focus();
}
