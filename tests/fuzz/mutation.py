"""Mutations: of values, which stay parsable and reach the late stages, and of bytes, which often do not.

All randomness comes from the `random.Random` of the caller, so that a seed gives the same inputs everywhere.
"""

import copy
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import yaml

_DEEP: Any = []
for _ in range(60):
    _DEEP = [_DEEP]

TEXTS = (
    *(
        "",
        " ",
        "a",
        "*",
        "0",
        "-",
        ".",
        "/",
        "%",
        "{{",
        "..",
        "\x00",
        "\n",
        "\t",
        "\x7f",
        "\x85",
        "\u2028",
        "\ufeff",
    ),
    *(
        "\ud7ff",
        "\U0010ffff",
        "\uffff",
        "\u00e9",
        "e\u0301",
        "\u0130",
        "\u0661",
        "\u00b2",
        "\U0001f600",
        "null",
        "true",
    ),
    *(
        "x" * 63,
        "x" * 64,
        "x" * 254,
        "x" * 5000,
        "a," * 200,
        "10.0.0.1",
        "fd00::1",
        "FD00:0::1",
        "fe80::1%eth0",
    ),
    *(
        "::ffff:10.0.0.1",
        "0.0.0.0",
        "::",
        "10.0.0.1:80",
        "10s",
        "0s",
        "1h30m",
        "-1s",
        "1e9s",
        "9999999999h",
        "1.5s",
    ),
    *(
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00",
        "9999-12-31T23:59:59.999999999-23:59",
        "2020-02-30T00:00:00Z",
    ),
    *(
        "NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "-0",
        "0x10",
        "1" * 5000,
        "(",
        "[a-",
        "(a+)+$",
        "\\",
        "\\C",
        ".*",
        "(?i)x",
    ),
    *(
        "xdstp://a/envoy.config.cluster.v3.Cluster/x?b=1&a=2",
        "xdstp:///%zz",
        "a/b/c",
        "<script>",
        "&amp;",
        "${x}",
    ),
    *(
        "Service",
        "TCP",
        "UDP",
        "IPv4",
        "IPv6",
        "FQDN",
        "ExternalName",
        "None",
        "Exact",
        "RegularExpression",
        "Never",
    ),
    *(
        "gateway.networking.k8s.io",
        "steerway.io",
        "default",
        "shop",
        "backend",
        "http",
        "grpc",
        "kubernetes.io/h2c",
    ),
)
NUMBERS = (
    *(
        0,
        -1,
        1,
        2,
        80,
        100,
        101,
        443,
        50051,
        65535,
        65536,
        2**31 - 1,
        2**31,
        2**32 - 1,
        2**32,
        2**53,
        2**63,
        2**64,
    ),
    *(-(2**63), 10**50, 10**99, 0.5, -0.0, 1e-320, 1.5, 1e308, 100.0),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, [], {}, [None], {"": None}, [[]], [{}], {"x": {"y": []}}, _DEEP, {"<<": {"a": 1}}),
    *({"name": "backend", "port": 50051}, {"value": ""}, ["a"] * 200, {"10": "ten"}),
)
RAW = (
    *(
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999",
        "-1e999",
        "9" * 5000,
        "-" + "9" * 4301,
        "1" * 101,
        "00",
        "1.",
        "0x1",
    ),
    *(
        '"\\ud800"',
        '"\\udfff\\ud800"',
        '"a\\ud83d\\ude00b"',
        '"\\u0000"',
        '"\\x"',
        "\x00",
        '{"a":1,"a":2}',
        "[" * 500,
    ),
    *(
        "&a [*a]",
        "*nowhere",
        "&a [1]",
        "!!binary aGk=",
        "!x y",
        "{<<: 1}",
        "{<<: [{a: 1}, {b: 2}]}",
        "2020-01-01",
        ".inf",
    ),
    *(
        "~",
        "? x",
        "|\n  x",
        ">-\n\n",
        "'",
        '"',
        "#",
        "%YAML 1.1",
        "@",
        "`",
        "- - -",
        "12:30:45",
        "0o777",
        "1_000",
    ),
)
"""Text that is put into a document as it is: not all of it is JSON or YAML."""
PIECES = (
    *(
        b"\xff",
        b"\xed\xa0\x80",
        b"\xc3",
        b"\xf4\x90\x80\x80",
        b"\xef\xbb\xbf",
        b"\x00",
        b"\r",
        b"\t",
        b"\n",
        b" ",
    ),
    *(
        b"\n---\n",
        b"\n...\n",
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b",",
        b'"',
        b"'",
        b"&a ",
        b"*a ",
        b"<<: ",
        b"!!str ",
        b"#",
    ),
    *(
        b"\\",
        b"\\u",
        b"\\ud800",
        b"null",
        b"- ",
        b"? ",
        b"| ",
        b"%",
        b"{{ x }}",
        b"9" * 4400,
        b"1e999",
        b"-",
        b"0",
    ),
)
_MARK = "@raw@"


class Mutator:
    """Draws mutations. `values` are parsed documents, parts of which are inserted into others."""

    def __init__(self, random: random.Random, values: Sequence[Any], annotations: Sequence[str]) -> None:
        self._random = random
        self._annotations = annotations
        self._by_key: dict[str, list[Any]] = {}
        for value in values:
            for container, key in _localities(value):
                if isinstance(key, str):
                    self._by_key.setdefault(key, []).append(container[key])
        self._keys = sorted(self._by_key)
        self._raw: list[str] = []

    def value(self, value: Any) -> Any:
        """A copy with some changes; `text` serializes it."""
        changed = [copy.deepcopy(value)]
        self._raw = []
        for _ in range(1 + int(self._random.expovariate(1.0))):
            parts = list(_localities(changed))
            container, key = self._random.choice(parts)
            self._random.choice(self._changes)(self, container, key)
        return changed[0]

    def text(self, value: Any, *, as_json: bool) -> bytes:
        """A value as JSON or YAML, in changing layouts and with raw parts that no value can hold."""
        if as_json:
            text = json.dumps(
                value, indent=self._random.choice([None, 1]), ensure_ascii=self._random.random() < 0.5
            )
        else:
            text = yaml.dump(
                value, Dumper=yaml.CSafeDumper, default_flow_style=self._random.choice([None, True, False])
            )
        for raw in self._raw:
            for quoted in (f'"{_MARK}"', f"'{_MARK}'", _MARK):
                if quoted in text:
                    text = text.replace(quoted, raw, 1)
                    break
        return text.encode()

    def data(self, data: bytes) -> bytes:
        """Bytes with some changes."""
        changed = bytearray(data)
        for _ in range(1 + int(self._random.expovariate(0.5))):
            start = self._random.randrange(len(changed) + 1)
            end = min(len(changed), start + int(self._random.expovariate(0.05)))
            match self._random.randrange(6):
                case 0:
                    del changed[start:end]
                case 1:
                    changed[start:start] = changed[start:end]
                case 2:
                    changed[start:start] = self._random.choice(PIECES)
                case 3:
                    changed[start : start + 1] = self._random.choice(PIECES)
                case 4 if start < len(changed):
                    changed[start] ^= 1 << self._random.randrange(8)
                case _:
                    other = self._random.randrange(len(changed) + 1)
                    changed[other:other] = changed[start:end]
        return bytes(changed[: 1 << 18])

    def _drawn(self) -> Any:
        pool = self._random.choice((TEXTS, TEXTS, NUMBERS, VALUES))
        return copy.deepcopy(self._random.choice(pool))

    def _replace(self, container: Any, key: Any) -> None:
        container[key] = self._drawn()

    def _take_over(self, container: Any, key: Any) -> None:
        same = self._by_key.get(key) if isinstance(key, str) else None
        other = self._by_key[self._random.choice(self._keys)]
        container[key] = copy.deepcopy(
            self._random.choice(same if same and self._random.random() < 0.8 else other)
        )

    def _delete(self, container: Any, key: Any) -> None:
        if len(container) > 1:
            del container[key]

    def _add(self, container: Any, key: Any) -> None:
        inner = container[key]
        if isinstance(inner, list):
            inner.insert(
                self._random.randrange(len(inner) + 1),
                copy.deepcopy(self._random.choice([*inner, self._drawn()])),
            )
        elif isinstance(inner, dict):
            added = self._random.choice(self._keys)
            inner[added] = copy.deepcopy(self._random.choice(self._by_key[added]))

    def _rename(self, container: Any, key: Any) -> None:
        if isinstance(container, dict):
            container[self._random.choice((*TEXTS, *self._keys))] = container.pop(key)

    def _put_raw(self, container: Any, key: Any) -> None:
        container[key] = _MARK
        self._raw.append(self._random.choice(RAW))

    def _annotate(self, container: Any, key: Any) -> None:
        inner = container[key]
        if isinstance(inner, dict) and isinstance(metadata := inner.get("metadata"), dict):
            if not isinstance(metadata.get("annotations"), dict):
                metadata["annotations"] = {}
            name = self._random.choice(self._annotations)
            metadata["annotations"][name] = self._random.choice(TEXTS)
        else:
            self._take_over(container, key)

    _changes: tuple[Callable[["Mutator", Any, Any], None], ...] = (
        *(
            _replace,
            _replace,
            _take_over,
            _take_over,
            _take_over,
            _delete,
            _add,
            _add,
            _rename,
            _put_raw,
            _annotate,
        ),
    )


def _localities(value: Any) -> "list[tuple[Any, Any]]":
    """Each container in a value with each of its keys or indices."""
    localities: list[tuple[Any, Any]] = []
    todo = [value]
    while todo:
        container = todo.pop()
        items = container.items() if isinstance(container, dict) else enumerate(container)
        for key, inner in items:
            localities.append((container, key))
            if isinstance(inner, dict | list):
                todo.append(inner)
    return localities
