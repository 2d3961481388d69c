// Goes to a service, a workload or a view by a part of its name.

import { useState } from "preact/hooks";
import { overlay } from "../model/overlay";
import { go, link } from "../model/route";
import { services, workloads } from "../model/store";
import { Dialog } from "../part/dialog";
import { matches } from "../part/filter";
import { Glyph, Icon } from "../part/icon";
import { VIEWS } from "../part/shell";

const MOST = 12;

interface Match {
  key: string;
  href: string;
  text: string;
  kind: string;
  icon: preact.ComponentChildren;
}

function find(text: string): Match[] {
  const matching: Match[] = [];
  const add = (item: Match) => matching.length < 200 && matches(item.text.toLowerCase(), text) && matching.push(item);
  for (const { view, title } of VIEWS) add({ key: view, href: link(view), text: title, kind: "view", icon: <Glyph of={view} size={14} /> });
  for (const service of services.value.values()) add({ key: `s${service.id}`, href: link("services", service.id), text: service.id, kind: "service", icon: <Icon of={service.state} labelled /> });
  for (const workload of workloads.value.values()) add({ key: `w${workload.id}`, href: link("clients", workload.id), text: workload.id, kind: "workload", icon: <Icon of={workload.state} labelled /> });
  return matching.sort((a, b) => Number(b.text.toLowerCase().includes(`/${text}`)) - Number(a.text.toLowerCase().includes(`/${text}`))).slice(0, MOST);
}

export function Find() {
  const [text, setText] = useState("");
  const [active, setActive] = useState(0);
  const matching = find(text.trim().toLowerCase());
  const chosen = Math.min(active, matching.length - 1);

  function keys(event: KeyboardEvent): void {
    const item = matching[chosen];
    if (event.key === "ArrowDown") setActive(Math.min(matching.length - 1, chosen + 1));
    else if (event.key === "ArrowUp") setActive(Math.max(0, chosen - 1));
    else if (event.key === "Enter" && item) {
      overlay.value = "";
      go(item.href);
    } else return;
    event.preventDefault();
  }

  return (
    <Dialog label="Find">
      <input
        class="find"
        type="text"
        role="combobox"
        list={undefined}
        aria-label="Find a service, client or view"
        aria-expanded={matching.length > 0}
        aria-controls="found"
        aria-activedescendant={matching.length ? `found-${chosen}` : undefined}
        placeholder="Service, workload or view"
        autocomplete="off"
        spellcheck={false}
        autofocus
        value={text}
        onInput={(event) => { setText(event.currentTarget.value); setActive(0); }}
        onKeyDown={keys}
      />
      <ul id="found" role="listbox" aria-label="Found" class="found">
        {matching.map((item, index) => (
          <li key={item.key} id={`found-${index}`} role="option" aria-selected={index === chosen} onMouseMove={() => setActive(index)} onClick={() => { overlay.value = ""; go(item.href); }}>
            {item.icon} <span class="clip">{item.text}</span> <span class="dim end">{item.kind}</span>
          </li>
        ))}
      </ul>
      {matching.length === 0 && <p class="dim">Nothing has this name.</p>}
    </Dialog>
  );
}
