"""Screens above the lists: one object in detail, and the keys."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Footer, Static

HELP = """\
1 overview   2 services   3 clients   4 changes   5 problems
Tab, Shift+Tab   the next list, the one before
Home, End, j, k  the first row, the last row, down, up

/        show rows with all of these words; Enter keeps them, Escape shows all rows again
s        the next order of the list
Enter    describe the row
Escape   back
q        quit

Rows come from the event streams of all replicas. A replica that does not answer is in the overview with the
reason, and its rows are left out; it is queried again all the time."""


class TextScreen(ModalScreen[None]):
    """A title and a text that scrolls."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "dismiss", "back"),
    ]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title, self._text = title, text

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="box"):
            yield Static(self._title, id="title", markup=False)
            yield Static(self._text, id="text", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        self.query_one("#box").focus()

    def show(self, text: str) -> None:
        """Replace the text."""
        self.query_one("#text", Static).update(text)
