// Objects and documents that are skipped, each with a hint.

import { useMemo } from "preact/hooks";
import { loaded, sortedProblems } from "../model/store";
import { count } from "../model/time";
import { matches, parameter, Search, Select } from "../part/filter";
import { Icon } from "../part/icon";
import { Empty, Head, Loading } from "../part/layout";

const MOST = 200;

export function Problems() {
  const all = sortedProblems.value;
  const [text, kind] = [parameter("q"), parameter("kind")];
  const kinds = useMemo(() => [...new Set(all.map(({ where }) => kindOf(where)))].sort(), [all]);
  const matching = all.filter(
    (problem) => (!kind || kindOf(problem.where) === kind) && (!text || matches(`${problem.where} ${problem.reason} ${problem.hint}`.toLowerCase(), text)),
  );
  return (
    <>
      <Head title="Problems" name="Problems" kicker={`${count(matching.length)} of ${count(all.length)}`}>
        <Search label="Filter problems" />
        <Select label="Kind" name="kind" all="All kinds" options={kinds} />
      </Head>
      <div class="scroll">
        {!loaded.value.has("problems") ? (
          <Loading what="problems" />
        ) : all.length === 0 ? (
          <Empty title="No problems">Every object that was read is served as it is written.</Empty>
        ) : matching.length === 0 ? (
          <Empty title="No problem matches">Remove a filter, or press Esc in the filter to clear it.</Empty>
        ) : (
          <ul class="problems problems-cards">
            {matching.slice(0, MOST).map((problem) => (
              <li key={problem.where + problem.reason}>
                <Icon of="warning" labelled /> <code>{problem.where}</code>
                <p>{problem.reason}</p>
                {problem.hint && <p class="hint">{problem.hint}</p>}
              </li>
            ))}
            {matching.length > MOST && <li class="dim">and {count(matching.length - MOST)} more: use the filter</li>}
          </ul>
        )}
      </div>
    </>
  );
}

/** `GRPCRoute` of `GRPCRoute shop/backend`; "file" for what has no kind. */
const kindOf = (where: string): string => /^([A-Z]\w+) /.exec(where)?.[1] ?? "file";
