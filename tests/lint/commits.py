"""Checks the messages of commits after `BASE`: `area: imperative`, and why in the body of a change that is not small.

    python -m tests.lint.commits

Without git, and outside a repository of its own (a source archive), it checks nothing, states that and exits with 0.
In a shallow clone it checks the commits that the clone has.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
BASE = "e34896e"
"""The last commit that the rules do not apply to."""
MAX_SUBJECT = 72
"""Characters: what git and code hosts show of a subject without cutting it."""
MAX_BODY_LINE = 120
MAX_LINES_WITHOUT_BODY = 50
"""Lines added and removed, moves not counted."""

_SUBJECT = re.compile(r"(?P<area>[a-z0-9][a-z0-9_./-]*(?:, [a-z0-9][a-z0-9_./-]*)*): (?P<text>\S.*)")
_REVERT = re.compile(r'Revert "[^"].*"')
_NO_VERB = re.compile(
    r"a|an|the|this|that|these|those|what|which|all|every|each|no|some|more|now|when|where|"
    r"(?!(?:feed|need|embed|exceed|proceed|seed|shed|speed|succeed)$)[a-z]+ed|"
    r"(?!(?:bring|ping|ring|string)$)[a-z]+ing|"
    r"(?!(?:address|alias|bias|bypass|canvas|compress|cross|discuss|dismiss|express|focus|guess|harness|miss|pass|press|"
    r"process|stress|suppress)$)[a-z]+s"
)
"""First words that begin no imperative: articles and the like, past, gerund, third person."""


class NoHistoryError(Exception):
    """There is no history to check; the text is the reason."""


@dataclass(frozen=True, slots=True)
class Commit:
    """`changed` counts added and removed lines of a commit without a body. None with a body, and where a shallow clone
    ends, since the parent is absent there."""

    id: str
    subject: str
    body: str
    changed: int | None


def problems(commit: Commit) -> Iterator[str]:
    """What is wrong with a commit's message, with the fix."""
    if not _REVERT.fullmatch(commit.subject):
        yield from _subject_problems(commit.subject)
    if len(commit.subject) > MAX_SUBJECT:
        yield f"the subject has {len(commit.subject)} characters: shorten it to {MAX_SUBJECT}, the rest is for the body"
    for line in commit.body.splitlines():
        # An address cannot be broken.
        if len(line) > MAX_BODY_LINE and " " in line.strip():
            yield f"a line of the body has {len(line)} characters: break it at {MAX_BODY_LINE}"
    if not commit.body and (commit.changed or 0) > MAX_LINES_WITHOUT_BODY:
        yield f"{commit.changed} lines changed and the body is empty: state why"


def _subject_problems(subject: str) -> Iterator[str]:
    parts = _SUBJECT.fullmatch(subject)
    if parts is None:
        yield 'the subject is not "area: imperative", with the area in lower case'
        return
    first, _, _ = parts["text"].partition(" ")
    if re.match(r"[A-Z][a-z]+$", first):
        yield f'"{first}" begins with a capital letter: write "{first.lower()}"'
    elif _NO_VERB.fullmatch(first.lower()):
        yield f'"{first}" is no imperative: begin with a verb, as in "add" or "remove"'
    if subject.endswith((".", "!", ":", ";", ",")):
        yield f'the subject ends with "{subject[-1]}": remove it'


def commits(root: Path, base: str) -> list[Commit]:
    """The commits after a base, without merges, the newest first. Raises NoHistoryError."""
    if not (root / ".git").exists():
        raise NoHistoryError("this is no git repository")
    boundaries: frozenset[str] = frozenset()
    revisions = [f"{base}..HEAD"]
    if _git(root, "rev-parse", "--verify", "HEAD") is None:
        raise NoHistoryError("git cannot read the repository")
    if _git(root, "rev-parse", "--quiet", "--verify", f"{base}^{{commit}}") is None:
        if _git(root, "rev-parse", "--is-shallow-repository") != "true":
            raise NoHistoryError(f"the history has no commit {base}")
        # What a shallow clone has is newer than what it lacks.
        revisions = ["HEAD"]
        boundaries = frozenset((_git(root, "rev-list", "--max-parents=0", "HEAD") or "").split())
    listed = _git(root, "log", "--no-merges", "-z", "--format=%H%x1f%s%x1f%b", *revisions)
    if listed is None:
        raise NoHistoryError("git log failed")
    records = (record.split("\x1f") for record in listed.split("\0") if record)
    return [
        Commit(id, subject, body.strip(), None if body.strip() or id in boundaries else _changed(root, id))
        for id, subject, body in records
    ]


def _changed(root: Path, id: str) -> int:
    """Lines that a commit adds and removes; a file that moves counts with what changes in it."""
    statistics = _git(root, "show", "--format=", "--numstat", "--find-renames", id) or ""
    fields = (line.split("\t") for line in statistics.splitlines())
    # "-" stands for those of a binary file.
    return sum(int(count) for added, removed, _ in fields for count in (added, removed) if count != "-")


def _git(root: Path, *arguments: str) -> str | None:
    """The output of git; None when it fails. Raises NoHistoryError when there is no git."""
    try:
        result = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise NoHistoryError("git is not installed") from None
    return result.stdout.strip() if result.returncode == 0 else None


def main(root: Path = ROOT, base: str = BASE) -> int:
    """Exit code 1 when a message breaks a rule."""
    try:
        checked = commits(root, base)
    except NoHistoryError as error:
        print(f"commits: nothing checked: {error}", file=sys.stderr)
        return 0
    broken = 0
    for commit in checked:
        for problem in problems(commit):
            broken += 1
            print(f"{commit.id[:7]} {commit.subject}\n    {problem}")
    print(f"commits: {len(checked)} checked, {broken} problems", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
