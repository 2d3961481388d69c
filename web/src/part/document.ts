// A document of the server that is read again when something about it has changed.

import { useEffect, useRef, useState } from "preact/hooks";
import { read, RequestError, type Query } from "../model/request";
import { now } from "../model/store";

const PAUSE_MS = 300;
const AGAIN_MS = 10_000;

export interface Document<T> {
  data: T | null;
  error: RequestError | null;
  /** When it came, in milliseconds of the page's clock. */
  at: number;
}

/** `trigger`: any value that changes when the document may have changed. It is read every 10 s as well. */
export function useDocument<T>(path: string | null, query: Query = {}, trigger: unknown = null): Document<T> {
  const key = path === null ? null : path + JSON.stringify(query);
  const [document, setDocument] = useState<Document<T> & { key: string | null }>({ data: null, error: null, at: 0, key: null });
  const again = useRef<() => void>(() => undefined);
  useEffect(() => {
    if (path === null) return undefined;
    const abort = new AbortController();
    let timer = 0;
    let busy = false;
    let changed = false;
    const load = async (): Promise<void> => {
      timer = 0;
      busy = true;
      changed = false;
      try {
        const data = await read<T>(path, query, abort.signal);
        setDocument({ data, error: null, at: now(), key });
      } catch (error) {
        if (!abort.signal.aborted && error instanceof RequestError)
          setDocument((old) => ({ data: old.key === key ? old.data : null, error, at: old.at, key }));
      }
      busy = false;
      if (changed) again.current();
    };
    // At most one request at a time, and a pause between them: changes may come faster than answers.
    again.current = () => {
      changed = true;
      if (!busy && !timer && !abort.signal.aborted) timer = window.setTimeout(() => void load(), PAUSE_MS);
    };
    void load();
    const interval = setInterval(() => again.current(), AGAIN_MS);
    return () => {
      clearTimeout(timer);
      clearInterval(interval);
      abort.abort();
    };
  }, [key]);
  useEffect(() => again.current(), [trigger]);
  return document.key === key ? document : { data: null, error: null, at: 0 };
}
