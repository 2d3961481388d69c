// Light or dark colours: those of the system, unless the user has chosen.

import { effect, signal } from "@preact/signals";

export type Theme = "light" | "dark";

const KEY = "steerway-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

function chosen(): Theme | null {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : null;
  } catch {
    return null; // storage is switched off
  }
}

export const theme = signal<Theme>(chosen() ?? (system.matches ? "dark" : "light"));
system.addEventListener("change", () => {
  if (!chosen()) theme.value = system.matches ? "dark" : "light";
});
effect(() => {
  document.documentElement.dataset.theme = theme.value;
});

export function setTheme(value: Theme): void {
  theme.value = value;
  try {
    localStorage.setItem(KEY, value);
  } catch {
    // Then it lasts until the page is closed.
  }
}
