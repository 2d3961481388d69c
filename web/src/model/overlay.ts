// The dialog that is open.

import { signal } from "@preact/signals";

export const overlay = signal<"" | "help" | "find">("");
