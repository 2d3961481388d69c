// A modal dialog; the browser keeps the focus in it, and Esc closes it.

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { overlay } from "../model/overlay";

export function Dialog({ label, children }: { label: string; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  // Before the next key: an Esc that the page gets would close nothing.
  useLayoutEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-label={label}
      onKeyDown={(event) => event.key === "Escape" && dialog.current?.close()}
      onClose={() => (overlay.value = "")}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}
    >
      <div class="dialog">{children}</div>
    </dialog>
  );
}
