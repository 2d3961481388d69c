"""Copies the documents for the renderer of the site: `docs.py FROM TO`.

Documents are read in the repository first. There a link may lead out of `docs/`, and a fence may have words behind its
language, for the tests. A site has no such files, so the link is its text; and Python-Markdown reads no such fence, so
the words go. `<!-- list of pages -->` becomes a list of the other pages of the folder, which the repository shows by
itself.
"""

import posixpath
import re
import shutil
import sys
from pathlib import Path

_CODE = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
_WORDS = re.compile(r"\A( *```[\w+-]+) +[^\s=`][^=`\n]*$", re.MULTILINE)
_LINK = re.compile(r"\[((?:[^\]\[`]|`[^`]*`)*)\]\((?![a-z][a-z+.-]*:|#)([^)#\s]+)(?:#[^)\s]*)?\)")
_LIST = "<!-- list of pages -->"


def main(source: Path, target: Path) -> None:
    """Replace the folder `target`."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    for page in target.rglob("*.md"):
        text = page.read_text("utf-8").replace(_LIST, _pages(page))
        page.write_text(_converted(text, posixpath.join("", *page.relative_to(target).parent.parts)), "utf-8")


def _converted(text: str, folder: str) -> str:
    """The text of a page in a folder, relative to the documents."""
    parts, end = [], 0
    for code in _CODE.finditer(text):
        parts += [_without_outside_links(text[end : code.start()], folder), _WORDS.sub(r"\1", code[0])]
        end = code.end()
    return "".join([*parts, _without_outside_links(text[end:], folder)])


def _without_outside_links(text: str, folder: str) -> str:
    def kept(link: re.Match[str]) -> str:
        outside = posixpath.normpath(posixpath.join(folder, link[2])).startswith("..")
        return link[1] if outside else link[0]

    return _LINK.sub(kept, text)


def _pages(page: Path) -> str:
    """A list item for each other page of a folder, with its title."""
    others = sorted(other for other in page.parent.glob("*.md") if other != page)
    titles = (other.read_text("utf-8").partition("\n")[0].removeprefix("# ") for other in others)
    return "\n".join(f"- [{title}]({other.name})" for title, other in zip(titles, others, strict=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
