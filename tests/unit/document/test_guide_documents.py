"""The guides match the code: manifests are served, numbers are those of the code, lists are complete."""

import inspect
import math
import random
import re
from pathlib import Path
from statistics import mean

import msgspec
import pytest
import yaml

from bench import subset as bench_subset
from steerway.catalog.locality import spill, subset, zone
from steerway.catalog.model.mesh import Locality, Problem
from steerway.catalog.policy import annotation
from steerway.cli import main
from steerway.sources.files import load
from steerway.sources.objects.core import ANY_PORT, Service, ServiceMeta
from steerway.sources.policy.traffic_policy import SubsetSection, TrafficPolicySpec
from steerway.translate.client.capability import Feature
from steerway.translate.client.client import Client
from steerway.translate.client.library import Library
from testbed.manifest import service
from testbed.mesh import NAMESPACE
from tests.support.example import guide

ROOT = Path(__file__).parents[3]
BLOCKS = {
    "authorization": 3,
    "canary": 3,
    "from-dns": 2,
    "policies": 1,
    "retries": 3,
    "safety": 1,
    "subsets": 1,
    "zones": 1,
}
OBJECTS = {
    "authorization": 5,
    "canary": 10,
    "from-dns": 6,
    "policies": 2,
    "retries": 7,
    "safety": 2,
    "subsets": 2,
    "zones": 2,
}
FRAGMENTS = {"from-dns": 1, "zones": 2}
LIBRARIES = (Library.CORE, Library.GO, Library.JAVA, Library.NODE, Library.ENVOY)
FEATURES = {
    "routes": [Feature.ROUTE],
    "timeout": [Feature.TIMEOUT],
    "retry": [Feature.RETRY],
    "fault": [Feature.FAULT],
    "session": [Feature.SESSION],
    "limits": [Feature.LIMITS],
    "outlierDetection": [Feature.OUTLIER_DETECTION],
    "healthCheck": [Feature.HEALTH_CHECK],
    "RingHash` by header or channel": [Feature.RING_HASH],
    "RingHash` by cookie": [Feature.COOKIE_HASH],
    "LeastRequest": [Feature.LEAST_REQUEST],
    "WeightedRoundRobin": [Feature.WEIGHTED_ROUND_ROBIN],
    "PickFirst": [Feature.PICK_FIRST],
    "Random`, `slowStart": [Feature.RANDOM, Feature.SLOW_START],
    "changes of headers, mirrors, rewrites, redirects": [
        Feature.HEADER_CHANGES,
        Feature.MIRROR,
        Feature.REWRITE,
        Feature.REDIRECT,
    ],
    "sessionPersistence` by header, `timeouts.backendRequest`, a fifth retry": [
        Feature.HEADER_SESSION,
        Feature.ATTEMPT_TIMEOUT,
        Feature.MANY_RETRIES,
    ],
    "type ExternalName": [Feature.EXTERNAL_NAME],
}
"""Row of the table of clients → what it is about."""


def write(directory: Path, name: str) -> None:
    for number, block in enumerate(guide.blocks(name)):
        (directory / f"{number}.yaml").write_text(block)


def test_every_guide_is_known_here_and_linked() -> None:
    """This list has each guide about a feature; README links to those about traffic, and the guide to all."""
    stems = {path.stem for path in guide.FOLDER.glob("*.md")}
    features = {*guide.NAMES, "envoy", "injection"}
    assert features <= stems
    for name in features:
        assert f"(docs/guides/{name}.md)" in (ROOT / "README.md").read_text()
    for name in stems:
        assert f"(guides/{name}.md)" in (ROOT / "docs" / "guide.md").read_text()


def test_blocks_are_classified() -> None:
    """Each fenced block of YAML is a manifest or marked as a fragment."""
    assert {name: len(guide.blocks(name)) for name in guide.NAMES} == BLOCKS
    counts = {name: len(guide.blocks(name, "fragment")) for name in guide.NAMES}
    assert {name: count for name, count in counts.items() if count} == FRAGMENTS
    for name in guide.NAMES:
        assert guide.text(name).count("```yaml") == BLOCKS[name] + FRAGMENTS.get(name, 0)


@pytest.mark.parametrize("name", guide.NAMES)
def test_all_manifests_of_a_guide_would_be_served_together(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the file loader and the catalog, as in `steerway check`."""
    write(tmp_path, name)
    loaded = load((tmp_path,), "default")
    assert [entry.problem for entry in loaded.documents if entry.problem] == []
    assert not any(entry.ignored for entry in loaded.documents)
    code = main(["check", str(tmp_path)])
    out = capsys.readouterr().out
    assert code == 0, out
    assert out.endswith(f"{OBJECTS[name]} good, 0 broken\n")


def test_policies_of_the_guide_of_mtls_are_valid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For the Service that they name, with both ports."""
    write(tmp_path, "mtls")
    ports = {"grpc": 50051, "grpc-tls": 50052}
    (tmp_path / "service.yaml").write_text(yaml.safe_dump(service("cart", ports, namespace="shop")))
    assert main(["check", str(tmp_path)]) == 0
    assert capsys.readouterr().out.endswith("4 good, 0 broken\n")


def test_the_mapping_of_the_guide_would_be_served(tmp_path: Path) -> None:
    """With the namespaces and ports that its comments state."""
    (block,) = re.findall(
        r"^```yaml\n(mapping:.*?)^```", (ROOT / "docs" / "guide.md").read_text(), re.M | re.S
    )
    (tmp_path / "services.yaml").write_text(block)
    loaded = load((tmp_path,), "default")
    assert [entry.problem for entry in loaded.documents if entry.problem] == []
    services = [obj for obj in loaded.objects if isinstance(obj, Service)]
    assert {str(obj.key): [port.port for port in obj.spec.ports or []] for obj in services} == {
        "Service shop/backend": [ANY_PORT],
        "Service shop/cart": [50051],
    }


@pytest.mark.parametrize("block", guide.blocks("zones", "fragment"))
def test_a_fragment_is_a_part_of_a_policy(block: str) -> None:
    """It is valid in the spec of one."""
    target = {"group": "", "kind": "Service", "name": "backend"}
    msgspec.convert({"targetRefs": [target], **yaml.safe_load(block)}, TrafficPolicySpec)


def test_links_have_a_target() -> None:
    """Files and headings of all guides."""
    links = [
        (name, *match)
        for name in guide.NAMES
        for match in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", guide.text(name))
    ]
    assert len(links) > 30
    for name, file, heading in links:
        path = (guide.FOLDER / file).resolve() if file else guide.FOLDER / f"{name}.md"
        assert path.exists(), (name, file)
        if heading:
            titles = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
            assert heading in {_anchor(title) for title in titles}, (name, file, heading)


def _anchor(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def test_the_list_of_sections_is_complete() -> None:
    """The sections of a TrafficPolicy, and no others."""
    fields = {field.encode_name for field in msgspec.structs.fields(TrafficPolicySpec)} - {"targetRefs"}
    assert set(guide.table("policies", "Sections")) == fields
    assert len(fields) == 11


def test_the_table_of_clients_is_that_of_the_code() -> None:
    """Each version is the first with the feature."""
    rows = guide.table("policies", "Which client does what")
    assert set(rows) == set(FEATURES)
    for row, features in FEATURES.items():
        for library, cell in zip(LIBRARIES, rows[row], strict=True):
            for feature in features:
                assert _since(library, feature) == cell, (row, library)


def _since(library: Library, feature: Feature) -> str:
    if library is Library.ENVOY or not Client(library).can(feature):
        return "yes" if Client(library).can(feature) else "\N{EN DASH}"
    minor = next(minor for minor in range(200) if Client(library, (1, minor)).can(feature))
    return f"1.{minor}"


def test_the_table_of_annotations_is_complete_and_its_examples_are_valid() -> None:
    """The examples together cover all sections that annotations can set."""
    rows = {
        name: cells[0].strip("`").strip('"') for name, cells in guide.table("policies", "Annotations").items()
    }
    read = set(re.findall(r'(?:words\.get\(|_number\(words, )"([a-z-]+)"', inspect.getsource(annotation)))
    own = {name.removeprefix(annotation.PREFIX) for name in rows if name.startswith(annotation.PREFIX)}
    assert own == read
    assert {name for name in rows if not name.startswith(annotation.PREFIX)} == set(annotation._ALIASES)
    assert len(rows) == 13
    for prefix, sections in (("steerway.io/", set(annotation._READERS)), ("xds.lmwn.com/", {"retry"})):
        problems: list[Problem] = []
        annotations = {name: value for name, value in rows.items() if name.startswith(prefix)}
        # It names another algorithm than the hashing one.
        without = {name: value for name, value in annotations.items() if name != "steerway.io/balancing"}
        for item in (annotations, without):
            sources = annotation.of_annotations(_service(item), problems).sources
            assert {section for section, _ in sources} == sections
        assert problems == []


def _service(annotations: dict[str, str]) -> Service:
    meta = ServiceMeta(name="backend", namespace=NAMESPACE, annotations=annotations)
    return Service(metadata=meta)


def test_explain_prints_the_output_in_the_guide(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every line of it, in this order."""
    write(tmp_path, "policies")
    (shown,) = re.findall(
        r"^\$ steerway (explain .*) --files manifests\n(.*?)^```$", guide.text("policies"), re.M | re.S
    )
    assert main([*shown[0].split(), "--files", str(tmp_path)]) == 0
    stated = iter(capsys.readouterr().out.splitlines())
    lines = shown[1].splitlines()
    assert len(lines) == 9
    for line in lines:
        assert line in stated, line


def test_explain_answers_calls_as_in_the_guide(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every line of both answers, in this order."""
    write(tmp_path, "authorization")
    shown = re.findall(
        r"^\$ steerway (explain .*) --files manifests\n((?:[^$`].*\n)+)", guide.text("authorization"), re.M
    )
    assert len(shown) == 2
    for command, lines in shown:
        assert main([*command.split(), "--files", str(tmp_path)]) == 0
        stated = iter(capsys.readouterr().out.splitlines())
        for line in lines.splitlines():
            assert line in stated, line


def _percent(cell: str) -> float:
    match = re.match(r"[0-9.]+", cell)
    return float(match[0]) if match else 0.0


def test_the_arithmetic_of_spill_is_that_of_the_code() -> None:
    """The example, column by column, and the shares for other numbers."""
    rows = guide.table("zones", "How much spills")
    endpoints = {name: int(cells[0]) for name, cells in rows.items()}
    assert endpoints == {"eu-1a": 2, "eu-1b": 4, "eu-1c": 4}
    shares = spill.shares(endpoints, 1.4)
    for name, (count, *cells) in rows.items():
        can, has = 140 * int(count) / 10, 100 / 3
        keeps = has * shares[name][name]
        expected = [can, has, keeps, has - keeps, can - has if can > has else 0]
        assert [_percent(cell) for cell in cells] == pytest.approx(expected, abs=0.05)
    (other,) = re.findall(r"^\| `overloadPercent`.*\n\|.*\n((?:\|.*\n)+)", guide.text("zones"), re.M)
    lines = [[_percent(cell.strip()) for cell in line.strip("|").split("|")] for line in other.splitlines()]
    assert len(lines) == 3
    for overload, *item in lines:
        row = spill.shares(endpoints, overload / 100)["eu-1a"]
        assert item == pytest.approx([100 * row.get(name, 0.0) for name in endpoints], abs=0.5)
    fragment = yaml.safe_load(guide.blocks("zones", "fragment")[0])
    demand = {entry["zone"]: float(entry["weight"]) for entry in fragment["zones"]["demand"]}
    row = spill.shares(endpoints, 1.4, demand)["eu-1a"]
    assert row == pytest.approx({"eu-1a": 0.56, "eu-1b": 0.22, "eu-1c": 0.22})


def test_the_regions_of_zones_are_read_so() -> None:
    rows = guide.table("zones", "Where a client is")
    assert list(rows)[:1] == ["Spill"], "the first table is the one of modes"
    named = re.findall(r"^\| `([\w-]+)` \| (?:`([\w-]+)`|none.*) \|$", guide.text("zones"), re.M)
    assert len(named) == 5
    for name, region in named:
        assert zone.region_of(Locality(zone=name)) == region


def test_the_number_of_endpoints_of_a_client() -> None:
    """By the formula, with the defaults of the section."""
    default = SubsetSection()
    assert (default.min, default.percent) == (5, 33)
    (numbers,) = re.findall(r"^\| n \| (4 .*) \|$", guide.text("subsets"), re.M)
    seen = guide.table("subsets", "How many")["a client sees"]
    assert len(seen) == 6
    for n, size in zip(map(int, numbers.split(" | ")), map(int, seen), strict=True):
        assert size == min(n, max(default.min, math.ceil(default.percent * n / 100)))


def test_with_too_few_seats_endpoints_are_idle() -> None:
    """5 of 200 endpoints in each of 16 buckets."""
    names = [f"10.0.0.{number}:1" for number in range(200)]
    assert len(names) - len(frozenset().union(*subset.subsets(names, 5, 16))) == 120


@pytest.mark.parametrize(("count", "size"), [(10, 3), (50, 17)])
@pytest.mark.parametrize("way", ["steerway", "k8s-xds"])
def test_subsets_are_as_even_and_stable_as_measured(way: str, count: int, size: int) -> None:
    """The figures of the benchmark, except for slow ones."""
    result = bench_subset._measure(bench_subset._WAYS[way], count, size)[:3]
    assert f"| {count} | {size} | {way} | {' | '.join(result)} |" in guide.text("subsets")


def test_another_number_of_buckets_costs_what_the_guide_states() -> None:
    """17 of 50 endpoints; the bucket is a client's hash modulo the number."""
    for buckets, moved in ((32, 0.38), (17, 0.66)):
        shares = []
        for seed in range(3):
            names = bench_subset._endpoints(seed, 50)
            before, after = subset.subsets(names, 17, 16), subset.subsets(names, 17, buckets)
            hashes = [random.Random(seed * 1000 + client).getrandbits(64) for client in range(1000)]
            shares += [len(after[item % buckets] - before[item % 16]) / 17 for item in hashes]
        assert mean(shares) == pytest.approx(moved, abs=0.02)
