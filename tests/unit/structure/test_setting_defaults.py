"""The default of a setting is defined once, in its declaration."""

import ast
from collections.abc import Iterator
from pathlib import Path

from steerway import config

SOURCE = Path(config.__file__).parents[1]
_OTHER_MEANING = {
    "service_account": "a part of an identity, and the folder of the pod's own",
    "interval_seconds": "a part of a TrafficPolicy",
    "timeout_seconds": "a part of a TrafficPolicy",
    "stale_seconds": "infinite in an informer: staleness is not reported",
    "signer_name": "a field of PodCertificateRequests and of podCertificate volumes",
    "system_ca_file": "empty in a cluster without TLS",
    "require_client_certificate": "False in Engine.set_tls, which has no use for it without client authorities",
}
"""Names of settings that have a default elsewhere, where they mean something else."""
_NAMES = {setting.field for setting in config.SETTINGS.values() if "_" in setting.field} - {*_OTHER_MEANING}


def defaults(tree: ast.AST) -> Iterator[str]:
    """Names of parameters and fields with a default."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arguments):
            positional = [*node.posonlyargs, *node.args]
            for argument in positional[len(positional) - len(node.defaults) :]:
                yield argument.arg
            for argument, default in zip(node.kwonlyargs, node.kw_defaults, strict=True):
                if default is not None:
                    yield argument.arg
        elif isinstance(node, ast.ClassDef):
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and field.value is not None:
                    yield ast.unparse(field.target)


def test_no_stage_repeats_a_default() -> None:
    """A stage requires the value of a setting."""
    repeated, scanned = [], 0
    for path in SOURCE.rglob("*.py"):
        name = path.relative_to(SOURCE).as_posix()
        if name.partition("/")[0] != "config":
            scanned += 1
            names = defaults(ast.parse(path.read_text("utf-8")))
            repeated += [f"{name}: {field}" for field in names if field in _NAMES]
    assert scanned > 150
    assert repeated == []


def test_a_repeated_default_is_detected() -> None:
    """As a parameter and as a field."""
    function = "def f(a, drain_seconds=10.0, *, b, max_streams=1): ...\n"
    sample = f"{function}class C:\n    cluster_domain: str = 'a'\n    c: int"
    assert list(defaults(ast.parse(sample))) == ["cluster_domain", "drain_seconds", "max_streams"]
