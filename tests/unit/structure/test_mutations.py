"""The lists of mutations follow the product."""

from collections import Counter

import pytest

from tests.mutation.mutation import ROOT, Mutation, mutations

LISTED = list(mutations())


def test_each_area_has_mutations() -> None:
    """An empty list would always match."""
    counts = Counter(mutation.area for mutation in LISTED)
    assert counts.keys() == {"access", "catalog", "engine", "sources", "translate"}
    assert min(counts.values()) >= 10
    assert len({str(mutation) for mutation in LISTED}) == len(LISTED)


@pytest.mark.parametrize("mutation", LISTED, ids=str)
def test_a_mutation_matches_the_product(mutation: Mutation) -> None:
    """Once, and its tests are there."""
    assert mutation.mutated() != (ROOT / mutation.path).read_text()
    assert mutation.native or mutation.tests
    assert all((ROOT / test).exists() for test in mutation.tests)
