"""Refuses the words of `words.toml` in names, docstrings, comments, strings and Markdown.

    python -m tests.lint.words [--summary] [--word WORD]... [PATH]...

Exit code 1 when a word is refused, when an exception is not needed, and when a folder exceeds its budget of a word.
Exceptions and budgets are checked in a run over the whole project only.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.lint.glossary import PATH, Finding, Glossary
from tests.lint.project import ROOT, Source, sources


@dataclass(slots=True)
class Report:
    """The result of a scan. `files` counts those read, by suffix (or by name, without a suffix)."""

    findings: list[Finding] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Exceptions that are not needed, and folders over budget."""
    files: Counter[str] = field(default_factory=Counter)


def scan(glossary: Glossary, project: Iterable[Source]) -> Report:
    """Read every file once."""
    report = Report()
    lines: Counter[str] = Counter()
    words: Counter[tuple[str, str]] = Counter()
    for source in project:
        report.files[source.suffix or source.name] += 1
        excepted = False
        for finding in glossary.findings(source.path, source.fragments()):
            covering = [exempt for exempt in glossary.exceptions if exempt.covers(finding)]
            excepted = excepted or any("*" in exempt.words for exempt in covering)
            if not covering:
                report.findings.append(finding)
        folder = source.path.partition("/")[0]
        lines[folder] += source.text.count("\n")
        if not excepted:
            words.update(
                {(folder, word): count for word, count in glossary.budget.counts(source.text).items()}
            )
    report.problems += [problem for exempt in glossary.exceptions for problem in exempt.unneeded()]
    report.problems += _over_budget(glossary, lines, words)
    return report


def _over_budget(glossary: Glossary, lines: Counter[str], words: Counter[tuple[str, str]]) -> list[str]:
    limit = glossary.budget.per_1000_lines
    return [
        f'{folder}: "{word}" occurs {words[folder, word]} times in {lines[folder]} lines: at most {most} may'
        for folder in glossary.budget.folders
        for word in glossary.budget.words
        if words[folder, word] > (most := int(limit * lines[folder] / 1000))
    ]


def summary(findings: Iterable[Finding]) -> list[str]:
    """One line for each folder (two levels): its count, and the count of each word, the most frequent first."""
    folders: dict[str, Counter[str]] = {}
    for finding in findings:
        folder = "/".join(finding.path.split("/")[:-1][:3]) or "."
        folders.setdefault(folder, Counter())[finding.word] += 1
    totals: Counter[str] = sum(folders.values(), Counter())
    rows = [*sorted(folders.items()), ("total", totals)]
    return [
        f"{folder:32} {words.total():6}  {' '.join(f'{word}:{count}' for word, count in words.most_common())}"
        for folder, words in rows
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    description, _, _ = __doc__.partition("\n")
    parser = argparse.ArgumentParser(prog="python -m tests.lint.words", description=description)
    parser.add_argument("--summary", action="store_true", help="count by folder and word instead of a list")
    parser.add_argument("--word", action="append", default=[], help="show this word only")
    parser.add_argument("paths", nargs="*", help="files or folders of the project; default: all")
    options = parser.parse_args(arguments)
    paths = [Path(path).resolve() for path in options.paths]
    project = (
        source
        for source in sources()
        if not paths or any((ROOT / source.path).is_relative_to(path) for path in paths)
    )
    report = scan(Glossary(PATH.read_text()), project)
    findings = [finding for finding in report.findings if not options.word or finding.word in options.word]
    problems = report.problems if not paths and not options.word else []
    for line in summary(findings) if options.summary else [*map(str, findings), *problems]:
        print(line)
    total = len(findings) + len(problems)
    print(f"words: {report.files.total()} files read, {total} problems", file=sys.stderr)
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
