"""Inputs to mutate: the manifests of the documentation, and the corpus of inputs that failed once."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

CORPUS = Path(__file__).parent / "corpus"
BASE = "008--a.yaml"
_DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```ya?ml.*?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_READ = re.compile(r"^(apiVersion|kind|mapping|'@type'|\"@type\"):", re.MULTILINE)
"""What is of a manifest; the documentation has settings and bootstrap files, too."""
_ANNOTATION = re.compile(r"\b(?:steerway\.io|xds\.lmwn\.com|service\.kubernetes\.io)/[a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class Seed:
    """A file: its name, which determines how it is read, and its content; `value` is a list of
    documents, if it can be parsed.
    """

    name: str
    content: bytes
    value: list[Any] | None


def files() -> list[Seed]:
    """Files of manifests."""
    seeds = [_seed(path.name, path.read_bytes()) for path in corpus("files")]
    pages = [page.read_text(encoding="utf-8") for page in sorted(_DOCS.rglob("*.md"))]
    blocks = [block for page in pages for block in _BLOCK.findall(page) if _READ.search(block)]
    return seeds + [_seed("a.yaml", block.encode()) for block in blocks]


def base() -> dict[str, list[Any]]:
    """Related objects of each kind, so that mutated ones refer to others."""
    results: dict[str, list[Any]] = {}
    for item in yaml.load((CORPUS / "files" / BASE).read_bytes(), yaml.CSafeLoader)["items"]:
        results.setdefault(item["kind"], []).append(item)
    return results


def corpus(target: str) -> list[Path]:
    """The files of the corpus, by name."""
    return sorted(path for path in (CORPUS / target).iterdir() if path.is_file())


def manifests() -> list[dict[str, Any]]:
    """Kubernetes objects as an API server returns them."""
    results: list[dict[str, Any]] = []
    for seed in files():
        for document in seed.value or ():
            items = document.get("items") if isinstance(document, dict) else None
            results += [
                item for item in (items or [document]) if isinstance(item, dict) and "metadata" in item
            ]
    return results


@cache
def annotations() -> tuple[str, ...]:
    """Names of annotations in the documentation."""
    text = "".join(page.read_text(encoding="utf-8") for page in _DOCS.rglob("*.md"))
    return tuple(sorted(set(_ANNOTATION.findall(text))))


def _seed(name: str, content: bytes) -> Seed:
    return Seed(name, content, list(_documents(name, content)) or None)


def _documents(name: str, content: bytes) -> Iterator[Any]:
    try:
        parsed = (
            [json.loads(content)]
            if name.endswith(".json")
            else list(yaml.load_all(content, yaml.CSafeLoader))
        )
        json.dumps(parsed, ensure_ascii=False).encode()  # neither dates nor lone surrogates
    except (ValueError, TypeError, yaml.YAMLError, RecursionError):
        return
    yield from (document for document in parsed if isinstance(document, dict | list))
