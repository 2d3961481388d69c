"""The list of refused words, `words.toml`, and the search for them in a fragment. The file describes its fields."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from tests.lint.fragment import Fragment, Kind, is_key, snake_case

PATH = Path(__file__).with_name("words.toml")
_SENTENCE_PARTS = 4
"""A name of so many parts is a sentence: `test_changes_reach_clients`."""


@dataclass(frozen=True, slots=True)
class Finding:
    path: str
    line: int
    kind: Kind
    word: str
    text: str
    use: tuple[str, ...]

    def __str__(self) -> str:
        context = f" ({self.text})" if self.kind.is_name and self.text != self.word else ""
        *most, last = (f'"{term}"' for term in self.use)
        terms = f"{', '.join(most)} or {last}" if most else last
        return f'{self.path}:{self.line}: "{self.word}" in {self.kind.value}{context}: write {terms}'


@dataclass(slots=True)
class Exempt:
    """An exception. `needed`: its words that excepted a finding."""

    path: str
    words: tuple[str, ...]
    why: str
    needed: set[str]

    def covers(self, finding: Finding) -> bool:
        """Whether it covers a finding; it then counts as needed."""
        if not fnmatchcase(finding.path, self.path):
            return False
        words = {"*", finding.word}.intersection(self.words)
        self.needed |= words
        return bool(words)

    def unneeded(self) -> list[str]:
        return [
            f'{PATH.name}: the exception of {self.path} for "{word}" excepts nothing: remove it'
            for word in self.words
            if word not in self.needed
        ]


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `per_1000_lines` of each word in a folder. `allow` matches phrases that do not count."""

    words: tuple[str, ...]
    allow: re.Pattern[str]
    per_1000_lines: float
    folders: tuple[str, ...]
    pattern: re.Pattern[str]

    def counts(self, text: str) -> dict[str, int]:
        """How often each word occurs in a text, in names too."""
        counts = dict.fromkeys(self.words, 0)
        for match in self.pattern.finditer(self.allow.sub(" ", text)):
            counts[match[0].lower()] += 1
        return counts


class Glossary:
    """The refused words. Raises KeyError when `words.toml` lacks a field."""

    def __init__(self, text: str) -> None:
        document = tomllib.loads(text)
        names: dict[str, list[str]] = document["names"]
        self._whole = frozenset(names)
        self._use = {name: tuple(terms) for name, terms in names.items()}
        words: dict[str, list[str]] = {"name": [], "short": [], "text": []}
        allowed: list[str] = []
        for term in document["term"]:
            allowed += term.get("allow", ())
            for word in term["words"]:
                self._use[word] = tuple(term["use"])
                for where in term.get("where", ("name", "text")):
                    words[where].append(word)
        self.listed = frozenset(self._use)
        self._in_sentence = _in_names(words["name"])
        self._in_name = _in_names(words["name"] + words["short"])
        self._in_text = _in_text(words["text"])
        self._allowed_name, self._allowed_text = _in_names(allowed), _in_text(allowed)
        self.exceptions = [
            Exempt(entry["path"], tuple(entry["words"]), entry["why"], set())
            for entry in document.get("exception", ())
        ]
        limit = document["budget"]
        self.budget = Budget(
            words=tuple(limit["words"]),
            allow=_any(limit["allow"], r"[\s_]*"),
            per_1000_lines=limit["per_1000_lines"],
            folders=tuple(limit["folders"]),
            pattern=_in_text(limit["words"]),
        )

    def findings(self, path: str, fragments: Iterable[Fragment]) -> Iterator[Finding]:
        """Refused words in the fragments of a file. A name is reported where it occurs first."""
        names: set[str] = set()
        for fragment in fragments:
            if not fragment.kind.is_name:
                search = self._words_of_key if is_key(fragment.text) else self._words_of_text
                for offset, word in search(fragment.text):
                    yield self._finding(path, fragment, offset, word)
            elif fragment.text not in names:
                names.add(fragment.text)
                for word in self._words_of_name(fragment.text):
                    yield self._finding(path, fragment, 0, word)

    def _finding(self, path: str, fragment: Fragment, offset: int, word: str) -> Finding:
        return Finding(path, fragment.line_at(offset), fragment.kind, word, fragment.text, self._use[word])

    def _words_of_name(self, name: str) -> Iterator[str]:
        bare = name.strip("_")
        yield from {bare, bare.lower() if bare.isupper() else bare} & self._whole
        for _, word in self._words_of_key(name):
            yield word

    def _words_of_key(self, key: str) -> Iterator[tuple[int, str]]:
        name = self._allowed_name.sub(_masked, snake_case(key))
        pattern = self._in_name if name.count("_") < _SENTENCE_PARTS - 1 else self._in_sentence
        for match in pattern.finditer(name):
            yield 0, match[0].replace("_", " ")

    def _words_of_text(self, text: str) -> Iterator[tuple[int, str]]:
        for match in self._in_text.finditer(self._allowed_text.sub(_masked, text)):
            yield match.start(), re.sub(r"\s+", " ", match[0].lower())


def _in_names(words: Iterable[str]) -> re.Pattern[str]:
    """Matches the words as parts of a name in snake case."""
    return re.compile(rf"(?:^|(?<=_)){_any(words, '_').pattern}(?=_|$)")


def _in_text(words: Iterable[str]) -> re.Pattern[str]:
    words_with_spaces = _any(words, r"\s+").pattern
    return re.compile(rf"(?<![A-Za-z]){words_with_spaces}(?![A-Za-z])", re.IGNORECASE)


def _any(words: Iterable[str], space: str) -> re.Pattern[str]:
    """Matches any of the words, the longest first; `space` matches what separates the words of a phrase."""
    longest_first = sorted(words, key=len, reverse=True)
    alternatives = "|".join(space.join(map(re.escape, word.split())) for word in longest_first)
    return re.compile(f"(?:{alternatives})" if alternatives else "(?!)", re.IGNORECASE)


def _masked(phrase: re.Match[str]) -> str:
    return re.sub(r"[^\s_]", "x", phrase[0])
