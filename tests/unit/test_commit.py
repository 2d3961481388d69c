"""Commits: their content, and their division."""

from steerway.commit import Commit, Put

PUT = Put("t", "a", "", b"")


def test_a_commit_is_divided_into_its_entries() -> None:
    """Each entry in its own commit; resources before absent, forgotten and complete."""
    commit = Commit([PUT], [("t", "b", "", "no")], [("t", "d", "", "not you")], [("t", "c", "")], [("t", "")])
    parts = list(commit.parts())
    assert parts == [
        Commit(put=[PUT]),
        Commit(absent=[("t", "b", "", "no")]),
        Commit(denied=[("t", "d", "", "not you")]),
        Commit(forget=[("t", "c", "")]),
        Commit(complete=[("t", "")]),
    ]
    assert [commit.has("t", name, "") for name in "abcde"] == [True, True, True, True, False]
