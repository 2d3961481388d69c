"""The commit lint: what it refuses in a message, and which commits of a repository it checks."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lint.commits import MAX_LINES_WITHOUT_BODY, Commit, main, problems


@pytest.mark.parametrize(
    "subject",
    [
        "engine: send removals after the cluster is gone",
        "docs: give the figures of a quiet machine",
        "translate/xds: pass HTTP/2 options to Envoy",
        "tests, bench: share the fake API server",
        "0012: describe the order within a stream",
        "server: speed up the loop",
        "access: TLS-encrypt tokens at rest",
        'Revert "engine: send removals after the cluster is gone"',
        "a: " + "x" * 69,
    ],
)
def test_subjects_in_order(subject: str) -> None:
    assert list(problems(Commit("1", subject, "", 3))) == []


@pytest.mark.parametrize(
    ("subject", "problem"),
    [
        ("The namespace in an audience is its third part", "area: imperative"),
        ("Engine: send removals", "area: imperative"),
        ("fixup! engine: send removals", "area: imperative"),
        ("engine:send removals", "area: imperative"),
        ("engine: Send removals", 'write "send"'),
        ("engine: sends removals", '"sends" is no imperative'),
        ("engine: added removals", '"added" is no imperative'),
        ("engine: adding removals", '"adding" is no imperative'),
        ("engine: the removals are sent", '"the" is no imperative'),
        ("engine: send removals.", 'ends with "."'),
        ("engine: " + "x" * 65, "73 characters"),
    ],
)
def test_refused_subjects(subject: str, problem: str) -> None:
    (message,) = problems(Commit("1", subject, "", 3))
    assert problem in message


def test_a_large_change_needs_a_body() -> None:
    subject = "engine: send removals"
    assert list(problems(Commit("1", subject, "", MAX_LINES_WITHOUT_BODY))) == []
    assert list(problems(Commit("1", subject, "Clients keep them otherwise.", 1000))) == []
    assert list(problems(Commit("1", subject, "", None))) == []
    (message,) = problems(Commit("1", subject, "", MAX_LINES_WITHOUT_BODY + 1))
    assert message == "51 lines changed and the body is empty: state why"


def test_lines_of_a_body_are_broken() -> None:
    link = "https://a.example/" + "x" * 200
    (message,) = problems(Commit("1", "engine: send removals", f"{link}\n{'word ' * 25}", 3))
    assert "has 125 characters" in message


class Repository:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.git("init", "--quiet", "--initial-branch=main", ".")

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@a.example", "-c", "commit.gpgsign=false"]
        command = ["git", *identity, *arguments]
        return subprocess.run(
            command, cwd=self.path, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(self, message: str, lines: int = 1) -> str:
        """Commit a file of so many lines. Returns the commit's id."""
        file = self.path / "file"
        file.write_text(f"{message}\n" * lines)
        self.git("add", "file")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    for variable in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(variable, raising=False)
    path = tmp_path / "repository"
    path.mkdir()
    return Repository(path)


def test_commits_after_the_base_are_checked(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.commit("Before all rules.")
    base = repository.commit("The last one before the rules.")
    assert main(repository.path, base) == 0
    bad = repository.commit("engine: sends removals")
    repository.commit("engine: send removals\n\nClients keep them otherwise.", lines=100)
    large = repository.commit("engine: replace removals", lines=100)
    assert main(repository.path, base) == 1
    output = capsys.readouterr()
    assert output.out.splitlines() == [
        f"{large[:7]} engine: replace removals",
        "    400 lines changed and the body is empty: state why",
        f"{bad[:7]} engine: sends removals",
        '    "sends" is no imperative: begin with a verb, as in "add" or "remove"',
    ]
    assert output.err.splitlines()[-1] == "commits: 3 checked, 2 problems"


def test_merges_and_moves_are_left_out(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    base = repository.commit("engine: add a file", lines=100)
    repository.git("switch", "--quiet", "--create", "other")
    repository.git("mv", "file", "moved")
    repository.git("commit", "--quiet", "--message", "engine: move the file")
    repository.git("switch", "--quiet", "main")
    repository.git("merge", "--quiet", "--no-ff", "--message", "Merge branch 'other'", "other")
    assert main(repository.path, base) == 0
    assert capsys.readouterr().err == "commits: 1 checked, 0 problems\n"


def test_a_shallow_clone_is_checked_as_far_as_it_goes(
    repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = repository.commit("Before all rules.")
    repository.commit("engine: sends removals")
    # The oldest commit of the clone has all lines of the tree, and no body.
    repository.commit("engine: send removals", lines=100)
    bad = repository.commit("engine: sending updates")
    clone = tmp_path / "clone"
    repository.git("clone", "--quiet", "--depth=2", repository.path.as_uri(), str(clone))
    assert main(clone, base) == 1
    output = capsys.readouterr()
    assert output.out.splitlines()[0] == f"{bad[:7]} engine: sending updates"
    assert output.err == "commits: 2 checked, 2 problems\n"


def test_without_history_nothing_is_checked(
    repository: Repository,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A source archive, an empty or rewritten history, no git: stated, and no error."""
    assert main(tmp_path, "e34896e") == 0
    assert main(repository.path, "e34896e") == 0
    repository.commit("Before all rules.")
    assert main(repository.path, "e34896e") == 0
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(repository.path, "e34896e") == 0
    assert capsys.readouterr().err.splitlines() == [
        "commits: nothing checked: this is no git repository",
        "commits: nothing checked: git cannot read the repository",
        "commits: nothing checked: the history has no commit e34896e",
        "commits: nothing checked: git is not installed",
    ]
