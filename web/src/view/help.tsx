// The keys of the page.

import { overlay } from "../model/overlay";
import { Dialog } from "../part/dialog";
import { VIEWS } from "../part/shell";

const KEYS: readonly (readonly [string, string])[] = [
  ["/", "filter the list, or find"],
  ["Ctrl K", "find a service, client or view"],
  ["↑ ↓", "move in a list; Page Up, Page Down, Home, End too"],
  ["Enter", "open the row"],
  ["Esc", "clear the filter, close, or go back to the list"],
  ["+ − 0", "zoom the graph or the timeline, show all"],
  ["← →", "move the timeline"],
  ["d", "light or dark colours"],
  ["?", "these keys"],
];

export function Help() {
  return (
    <Dialog label="Keys">
      <h2>Keys</h2>
      <div class="keys">
        <dl>
          {VIEWS.map(({ title, letter }, index) => (
            <div key={title}>
              <dt>
                <kbd>{index + 1}</kbd> or <kbd>g</kbd> <kbd>{letter}</kbd>
              </dt>
              <dd>{title}</dd>
            </div>
          ))}
        </dl>
        <dl>
          {KEYS.map(([key, what]) => (
            <div key={key}>
              <dt>
                <kbd>{key}</kbd>
              </dt>
              <dd>{what}</dd>
            </div>
          ))}
        </dl>
      </div>
      <button type="button" class="button" onClick={(event) => { event.currentTarget.closest("dialog")?.close(); overlay.value = ""; }}>
        Close
      </button>
    </Dialog>
  );
}
