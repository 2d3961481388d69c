"""The words lint: what it refuses in each kind of file and place, and what it lets pass."""

from pathlib import Path

import pytest

from tests.lint import words
from tests.lint.fragment import Kind
from tests.lint.glossary import PATH, Glossary
from tests.lint.project import Source, sources
from tests.lint.words import Report, scan, summary

GLOSSARY = Glossary(PATH.read_text())
FEW = """
[names]
found = ["the name of the thing itself"]
Turn = ["ResponseContext"]

[[term]]
words = ["told", "hear of"]
use = ["send", "report", "log"]

[[term]]
words = ["hold"]
use = ["apply"]
where = ["short"]
allow = ["hold down"]

[budget]
words = ["found"]
allow = ["not found"]
per_1000_lines = 1.0
folders = ["src"]
"""


def lint(path: str, text: str, glossary: str = FEW) -> Report:
    return scan(Glossary(glossary), [Source(path, text)])


def places(report: Report) -> list[tuple[int, str, Kind]]:
    return [(finding.line, finding.word, finding.kind) for finding in report.findings]


@pytest.mark.parametrize(
    ("source", "line", "kind"),
    [
        ('"""A module.\n\nIt is told."""\n', 3, Kind.DOCSTRING),
        ('def f() -> None:\n    """Told."""\n', 2, Kind.DOCSTRING),
        ('class A:\n    b = 1\n    """How it was\n    told."""\n', 4, Kind.DOCSTRING),
        ("a = 1\n# Clients are told.\n", 2, Kind.COMMENT),
        ("a = 1  # told\n", 1, Kind.COMMENT),
        ("# Clients hear\n# of it.\n", 1, Kind.COMMENT),
        ('a = 1\nraise ValueError(f"{a} was told")\n', 2, Kind.STRING),
        ('a = (\n    "one"\n    " is told"\n)\n', 2, Kind.STRING),
        ('a = """\n\ntold it"""\n', 3, Kind.STRING),
        ('log.info("x", key="last-told")\n', 1, Kind.STRING),
        ('log.info("x", told=1)\n', 1, Kind.KEYWORD),
        ("def told_names() -> None: ...\n", 1, Kind.IDENTIFIER),
        ("class ToldNames: ...\n", 1, Kind.IDENTIFIER),
        ("def f(told: int) -> None: ...\n", 1, Kind.IDENTIFIER),
        ("_TOLD = 1\n", 1, Kind.IDENTIFIER),
        ("self._told = 1\n", 1, Kind.IDENTIFIER),
        ("for told in range(9): ...\n", 1, Kind.IDENTIFIER),
        ("import a as told\n", 1, Kind.IDENTIFIER),
        ("try: ...\nexcept ValueError as told: ...\n", 2, Kind.IDENTIFIER),
        ("match a:\n    case [told, *_]: ...\n", 2, Kind.IDENTIFIER),
        ("match a:\n    case {**told}: ...\n", 2, Kind.IDENTIFIER),
        ("def hear_of_it() -> None: ...\n", 1, Kind.IDENTIFIER),
        ("hold_seconds = 1\n", 1, Kind.IDENTIFIER),
        ("for found in range(9): ...\n", 1, Kind.IDENTIFIER),
        ("FOUND = 1\n", 1, Kind.IDENTIFIER),
        ("class Turn: ...\n", 1, Kind.IDENTIFIER),
    ],
)
def test_python(source: str, line: int, kind: Kind) -> None:
    (place,) = places(lint("src/a.py", source))
    assert (place[0], place[2]) == (line, kind)


@pytest.mark.parametrize(
    "source",
    [
        "print(library.told)\n",
        "from library import told_names\n",
        "retold = 1\n",
        "# Names that a search found are not untold.\n",
        "turn = found_names = 1\n",
        "hold_down_seconds = 1\n",
        "def test_clients_hold_their_names() -> None: ...\n",
        '"""They hear. Of what?"""\n',
    ],
)
def test_clean_python(source: str) -> None:
    assert places(lint("src/a.py", source)) == []


@pytest.mark.parametrize(
    ("source", "line", "kind"),
    [
        ("//! A module.\n//! It is told.\n", 2, Kind.DOCSTRING),
        ("/// Clients hear\n/// of it.\nfn f() {}\n", 1, Kind.DOCSTRING),
        ("fn f() {} // told\n", 1, Kind.COMMENT),
        ("//// told\n", 1, Kind.COMMENT),
        ("/* a /* nested */\ntold */\n", 2, Kind.COMMENT),
        ('let a = "told it";\n', 1, Kind.STRING),
        ('let a = "\\"\n  told it";\n', 2, Kind.STRING),
        ('let a = b"told it";\n', 1, Kind.STRING),
        ('let a = r#"\n"told" it"#;\n', 2, Kind.STRING),
        ("let a = '\"'; // told\n", 1, Kind.COMMENT),
        ("fn f<'a>(told: &'a str) {}\n", 1, Kind.IDENTIFIER),
        ("fn is_told() {}\n", 1, Kind.IDENTIFIER),
        ("let r#told = '\\'';\n", 1, Kind.IDENTIFIER),
        ("struct Turn;\n", 1, Kind.IDENTIFIER),
        ("let a = 1u8; let found = 0..5;\n", 1, Kind.IDENTIFIER),
    ],
)
def test_rust(source: str, line: int, kind: Kind) -> None:
    (place,) = places(lint("rust/a.rs", source))
    assert (place[0], place[2]) == (line, kind)


@pytest.mark.parametrize(
    "source",
    [
        "let a: &'told str = b;\n",
        "let a = '\\u{74}'; let b = b'\\n'; let c = 0x1told;\n",
        "let hold_down = retold; // found\n",
        'let a = r"\\"; let b = "//";\n',
    ],
)
def test_clean_rust(source: str) -> None:
    assert places(lint("rust/a.rs", source)) == []


@pytest.mark.parametrize(
    ("name", "source", "kind"),
    [
        ("a.go", "a := `x` // told\n", Kind.COMMENT),
        ("a.go", "a := `it\nis told`\n", Kind.STRING),
        ("a.java", 'String a = "is told"; char b = \'"\';\n', Kind.STRING),
        ("a.js", "const told = 'x'\n", Kind.IDENTIFIER),
        ("a.ts", "const told: string = 'x'\n", Kind.IDENTIFIER),
        ("a.tsx", 'const a = <p title="is told" />;\n', Kind.STRING),
        ("a.md", "Clients hear\nof it.\n", Kind.PROSE),
        ("a.md", "> [Told](told.md)\n", Kind.PROSE),
        ("a.md", "```\ncode\n```\n\n| told |\n", Kind.PROSE),
        ("a.toml", 'a = "#" # told\n', Kind.COMMENT),
        ("a.toml", "# It's told.\n", Kind.COMMENT),
        ("a.yaml", "a: it's b # told\n", Kind.COMMENT),
        ("Makefile", "a: b ## told\n", Kind.COMMENT),
        ("told.md", "", Kind.PATH),
    ],
)
def test_other_files(name: str, source: str, kind: Kind) -> None:
    (place,) = places(lint(f"docs/{name}", source))
    assert place[2] is kind


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("a.md", "`told` and ``a ` told`` and [a](told.md) <https://a.example/told>\n"),
        ("a.md", "```yaml\ntold: 1\n```\n"),
        ("a.md", "1. A step:\n\n   ~~~~\n   told\n   ~~~\n   told\n   ~~~~\n"),
        ("a.md", "Clients hear `x` of it.\n"),
        ("a.toml", 'a = "told # told"\n'),
        ("Makefile", "told:\n\techo '# told'\n"),
    ],
)
def test_clean_others(name: str, source: str) -> None:
    assert places(lint(f"docs/{name}", source)) == []


def test_a_message_names_the_place_and_the_term() -> None:
    report = lint("src/a.py", '"""Told."""\ntold_names = 1\n')
    assert [str(finding) for finding in report.findings] == [
        'src/a.py:1: "told" in a docstring: write "send", "report" or "log"',
        'src/a.py:2: "told" in an identifier (told_names): write "send", "report" or "log"',
    ]


def test_a_name_is_reported_once_in_a_file() -> None:
    assert len(lint("src/a.py", "told = 1\ntold = 2\nprint(told)\n").findings) == 1


EXCEPTION = '\n[[exception]]\npath = "src/*.py"\nwords = ["told", "hear of"]\nwhy = "a sample"\n'


def test_an_exception_covers_its_words_in_its_files() -> None:
    used = "# told\n# hear of\n"
    assert lint("src/a.py", used, FEW + EXCEPTION) == Report(files=lint("src/a.py", "").files)
    assert len(lint("tests/a.py", used, FEW + EXCEPTION).findings) == 2


def test_an_exception_that_is_not_needed_is_an_error() -> None:
    report = lint("src/a.py", "# told\n", FEW + EXCEPTION)
    assert report.findings == []
    assert report.problems == [
        'words.toml: the exception of src/*.py for "hear of" excepts nothing: remove it'
    ]


def test_a_folder_exceeds_its_budget() -> None:
    text = "# A search found it, a service is not found: NOT_FOUND, NotFound.\n" + "\n" * 999
    assert lint("src/a.py", text).problems == []
    assert lint("src/a.py", text + "# found\n").problems == [
        'src: "found" occurs 2 times in 1001 lines: at most 1 may'
    ]
    assert lint("bench/a.py", text + "# found\n").problems == []


def test_a_summary_counts_by_folder_and_word() -> None:
    report = scan(
        Glossary(FEW), [Source("src/a/b.py", "# told told\n"), Source("README.md", "told, hear of\n")]
    )
    assert [line.split() for line in summary(report.findings)] == [
        [".", "2", "told:1", "hear", "of:1"],
        ["src/a", "2", "told:2"],
        ["total", "4", "told:3", "hear", "of:1"],
    ]


def test_every_listed_word_is_refused() -> None:
    """In one of the places; a word that is listed twice, or never matches, would be missed."""
    assert len(GLOSSARY.listed) > 80
    for word in sorted(GLOSSARY.listed):
        name = word.replace(" ", "_").replace("-", "_")
        report = scan(GLOSSARY, [Source("src/a.py", f"# {word}\n{name} = 1\n")])
        assert word in {finding.word for finding in report.findings}


def test_a_scan_reads_the_project() -> None:
    """A scan that reads nothing would pass."""
    paths = [source.path for source in sources()]
    folders = {path.partition("/")[0] for path in paths if "/" in path}
    assert {"src", "rust", "testbed", "tests", "docs", "bench", "deploy"} <= folders
    assert {"README.md", "CONTRIBUTING.md", "Makefile", "pyproject.toml"} <= set(paths)
    counts = {
        suffix: sum(path.endswith(suffix) for path in paths)
        for suffix in (".py", ".rs", ".go", ".md", ".toml")
    }
    assert counts[".py"] > 600
    assert counts[".rs"] > 120
    assert counts[".go"] > 5
    assert counts[".md"] > 40
    assert counts[".toml"] > 10
    assert not [path for path in paths if "/target/" in path or path.startswith((".venv", ".git/"))]


def test_the_command_reports_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert words.main([str(Path(__file__)), "--summary"]) == 0
    output = capsys.readouterr()
    assert output.err == "words: 1 files read, 0 problems\n"
