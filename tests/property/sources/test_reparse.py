"""A file that was parsed before and changed has the same entries as one that is parsed for the first time."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steerway.sources.files import loader
from steerway.sources.files.document import Chunk
from steerway.sources.files.loader import NO_CHUNKS, ParsedFile, parse_file
from steerway.sources.files.scan import ManifestFile

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: %s}\nspec: {ports: [{port: %s}]}\n"
XDS = "'@type': type.googleapis.com/envoy.config.cluster.v3.Cluster\nname: %s\n"
DOCUMENTS = st.sampled_from(
    [
        SERVICE % ("a", 1),
        SERVICE % ("a", 2),
        SERVICE % ("b", 1),
        SERVICE % ("b", 0),
        XDS % "c",
        XDS % "{}",
        f"resources:\n- {{'@type': x}}\n- {(XDS % 'd').replace(chr(10), chr(10) + '  ').strip()}\n",
        "kind: List\napiVersion: v1\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: e}}\n- 3\n",
        "mapping:\n  f:\n    z: [{ip: 10.0.0.1, port: 1}]\n  g:\n    z: [{ip: no, port: 1}]\n",
        "g:\n  z: [{ip: 10.0.0.1, port: 1}]\n",
        "a: &x [1]\nb: *x\n",
        "b: *x\n",
        "text: |\n  more\n--- # within\n",
        "a: [\n",
        "a: 1\n...\n# behind the end\nb: 2\n",
        "# comment\n\n",
        "%YAML 1.2\n",
        "%TAG ! tag:x,2000:\n",
        "a: {{ .Values.a }}\n",
        "\n\n\n",
        "",
    ]
)
SEPARATORS = st.sampled_from(["---\n", "---\r\n", "--- # comment\n", "---", "...\n", "--- ", "\n"])
TEXTS = st.lists(SEPARATORS | DOCUMENTS, max_size=8).map("".join)
NAMES = st.sampled_from(["a.yaml", "a.json", "mapping.yaml", "values.yaml"])
ANYTHING = st.text(alphabet="abc:-[]{}&*!|>%#'\" \n\t0\r", max_size=12)


@st.composite
def edited(draw: st.DrawFn) -> list[str]:
    """The texts of a file, each an edit of the one before."""
    texts = [draw(TEXTS)]
    for _ in range(draw(st.integers(1, 4))):
        text = texts[-1]
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, len(text)))
        texts.append(text[:start] + draw(TEXTS | ANYTHING) + text[end:])
    return texts


@given(NAMES, edited())
def test_an_edited_file_has_the_entries_of_a_new_one(name: str, texts: list[str]) -> None:
    """Objects, problems and their lines, whatever was inserted, removed or moved."""
    known = NO_CHUNKS
    for text in texts:
        again, anew = parse(name, text, known), parse(name, text)
        assert again.entries == anew.entries
        assert [entry.keys for entry in again.entries] == [entry.keys for entry in anew.entries]
        known = again.chunks


@given(st.lists(DOCUMENTS, min_size=1, max_size=6), st.data())
def test_only_documents_that_changed_are_parsed_again(documents: list[str], data: st.DataObject) -> None:
    """However the others moved."""
    known = parse("a.yaml", joined(documents)).chunks
    order = data.draw(st.permutations(documents))
    parsed: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        read = loader._read_chunk

        def counted(chunk: Chunk, file: ManifestFile, namespace: str) -> object:
            parsed.append(chunk.text)
            return read(chunk, file, namespace)

        patch.setattr(loader, "_read_chunk", counted)
        parse("a.yaml", joined(["new: 1\n", *order]), known)
    assert parsed == ["---\nnew: 1\n"]


def joined(documents: list[str]) -> str:
    return "".join(f"---\n{document}" for document in documents)


def parse(name: str, text: str, known: loader.Chunks = NO_CHUNKS) -> ParsedFile:
    content, path = text.encode(), Path("/m", name)
    file = ManifestFile(path, path, Path("/m"), len(content), 0, 0, (0, 0))
    return parse_file(file, content, "default", known)
