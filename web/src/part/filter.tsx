// Controls that filter a list; their values are parameters of the address.

import { useEffect, useState } from "preact/hooks";
import { route, setQuery } from "../model/route";

const DELAY_MS = 40;

/** The value of a parameter of the view. */
export const parameter = (name: string): string => route.value.query.get(name) ?? "";

interface SearchProps {
  label: string;
  name?: string;
}

/** A text filter. `/` moves the focus here. */
export function Search({ label, name = "q" }: SearchProps) {
  const current = parameter(name);
  const [text, setText] = useState(current);
  const [applied, setApplied] = useState(current);
  if (applied !== current) {
    // While it is drawn: an effect after the first drawing would undo what was typed before it.
    setApplied(current);
    setText(current);
  }
  useEffect(() => {
    const timer = setTimeout(() => text !== current && setQuery({ [name]: text }), DELAY_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <input
      type="search"
      class="search"
      data-search
      placeholder={`${label}  /`}
      aria-label={label}
      autocomplete="off"
      spellcheck={false}
      value={text}
      onInput={(event) => setText(event.currentTarget.value)}
    />
  );
}

interface SelectProps {
  label: string;
  name: string;
  all: string;
  options: readonly string[];
}

export function Select({ label, name, all, options }: SelectProps) {
  const value = parameter(name);
  return (
    <select aria-label={label} value={value} onChange={(event) => setQuery({ [name]: event.currentTarget.value })}>
      <option value="">{all}</option>
      {(options.includes(value) || !value ? options : [value, ...options]).map((option) => (
        <option key={option} value={option}>
          {option}
        </option>
      ))}
    </select>
  );
}

interface ChoiceProps {
  label: string;
  name: string;
  options: readonly (readonly [string, preact.ComponentChildren])[];
}

/** One of a few values, as buttons beside each other; the default is "", or the first. */
export function Choice({ label, name, options }: ChoiceProps) {
  const usual = options.find(([key]) => key === "")?.[0] ?? options[0]?.[0];
  const value = parameter(name) || usual;
  return (
    <div class="choice" role="group" aria-label={label}>
      {options.map(([key, text]) => (
        <button key={key} type="button" aria-pressed={key === value} onClick={() => setQuery({ [name]: key === usual ? null : key })}>
          {text}
        </button>
      ))}
    </div>
  );
}

/** Whether all words of the filter are in the text. */
export function matches(text: string, filter: string): boolean {
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
