"""`make mutants`: which mutations the tests notice, and which survive. Exit code 1 when one survives.

`python -m tests.mutation [AREA] [--only TEXT]`: those of one list (`catalog`, `engine` and so on), or whose description
holds a text. Their tests must pass without a mutation first. Those of Python run side by side (`--jobs`), each in a
copy of the product; those of Rust one after the other, since cargo uses every core itself.
"""

import argparse
import os
import queue
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tests.mutation.mutation import Mutation, mutations
from tests.mutation.tree import Result, Tree


def _python(wanted: Iterable[Mutation], folder: Path, jobs: int) -> Iterator[tuple[Mutation, Result]]:
    """In any order, one per job at a time."""
    trees: queue.SimpleQueue[Tree] = queue.SimpleQueue()
    for number in range(jobs):
        trees.put(Tree(folder / str(number)))

    def tried(mutation: Mutation) -> tuple[Mutation, Result]:
        tree = trees.get()
        try:
            return mutation, tree.result(mutation)
        finally:
            trees.put(tree)

    with ThreadPoolExecutor(jobs) as pool:
        for done in as_completed([pool.submit(tried, mutation) for mutation in wanted]):
            yield done.result()


def _native(wanted: Iterable[Mutation], tree: Tree) -> Iterator[tuple[Mutation, Result]]:
    for mutation in wanted:
        yield mutation, tree.result(mutation)


def main() -> int:
    """Run, print one line per mutation and the score of each list; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("area", nargs="?", default="", help="one list, such as catalog")
    parser.add_argument("--only", default="", help="mutations whose description holds this text")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="mutations of Python at a time")
    chosen = parser.parse_args()
    wanted = [mutation for mutation in mutations(chosen.area) if chosen.only in str(mutation)]
    native = [mutation for mutation in wanted if mutation.native]
    python = [mutation for mutation in wanted if not mutation.native]
    counts: Counter[tuple[str, Result]] = Counter()
    with tempfile.TemporaryDirectory(prefix="steerway-mutation-") as folder:
        original = Tree(Path(folder) / "original")
        print(f"{len(wanted)} mutations; their tests run without one first", flush=True)
        if not original.passes(wanted):
            print("the tests fail without a mutation: run them alone and correct them", file=sys.stderr)
            return 2
        for some in (_python(python, Path(folder), chosen.jobs), _native(native, original)):
            for mutation, result in some:
                counts[mutation.area, result] += 1
                print(f"{result.value:<8} {mutation}", flush=True)
    return _score(counts)


def _score(counts: Counter[tuple[str, Result]]) -> int:
    """Print the score of each list. 1 when one survived or could not run, else 0."""
    for area in sorted({area for area, _ in counts}):
        results = {result: count for (other, result), count in counts.items() if other == area}
        noticed = sum(count for result, count in results.items() if result.noticed)
        print(f"{area}: {noticed} of {sum(results.values())} noticed")
    return int(not all(result.noticed for _, result in counts))


if __name__ == "__main__":
    sys.exit(main())
