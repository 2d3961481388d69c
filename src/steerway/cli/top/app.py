"""The application: one table whose columns are those of the view, a line above it, and a filter.

The table is updated twice a second at most, and only where cells differ: a mesh of thousands of clients changes all the
time.
"""

import asyncio
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DataTable, Footer, Input, Static

from steerway.cli.top import detail
from steerway.cli.top.feed import Feed
from steerway.cli.top.model import Model, Row
from steerway.cli.top.screen import HELP, TextScreen
from steerway.cli.top.view import VIEWS, View, summary

REFRESH_SECONDS = 0.5
_AGES = 4
"""Refreshes after which ages are updated although nothing has changed."""
_STYLE = """
#summary, #views { height: 1; padding: 0 1; }
#views { background: $panel; }
#filter { display: none; height: 1; border: none; padding: 0 1; }
#filter.open { display: block; }
DataTable { height: 1fr; }
TextScreen { align: center middle; }
#box { width: 92%; height: 90%; border: round $primary; background: $surface; padding: 0 1; }
#title { text-style: bold; height: 1; }
"""


class _Table(DataTable[Text]):
    """Also with the keys of pagers."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("home,g", "scroll_top", "first row", show=False),
        Binding("end,G", "scroll_bottom", "last row", show=False),
        Binding("j", "cursor_down", "down", show=False),
        Binding("k", "cursor_up", "up", show=False),
    ]


class TopApp(App[None]):
    """`feed` runs while the application does."""

    CSS = _STYLE
    TITLE = "steerway top"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(number), f"view({number - 1})", view.name, show=False)
            for number, view in enumerate(VIEWS, 1)
        ),
        Binding("tab", "step(1)", "next list", priority=True),
        Binding("shift+tab", "step(-1)", "list before", priority=True, show=False),
        Binding("slash", "filter", "filter"),
        Binding("s", "sort", "sort"),
        Binding("escape", "all_rows", "all rows", show=False),
        Binding("question_mark", "help", "help"),
        Binding("q", "quit", "quit"),
    ]

    def __init__(self, feed: Feed, model: Model) -> None:
        super().__init__()
        self._feed, self._model = feed, model
        self._index = 0
        self._orders = [0] * len(VIEWS)
        self._words_of = [""] * len(VIEWS)
        self._version = -1
        self._refreshes = 0
        self._shown: dict[str, list[str]] = {}
        self._rows: dict[str, Row] = {}
        self._feed_task: asyncio.Task[None] | None = None
        self._details: set[asyncio.Task[None]] = set()

    @property
    def view(self) -> View:
        """The list that is shown."""
        return VIEWS[self._index]

    def compose(self) -> ComposeResult:
        yield Static(id="summary")
        yield Static(id="views")
        yield Input(placeholder="words that rows must have", id="filter")
        yield _Table(id="table", cursor_type="row", zebra_stripes=True)
        yield Footer()

    def on_mount(self) -> None:
        self._feed_task = asyncio.create_task(self._feed.run())
        self.set_interval(REFRESH_SECONDS, self._refresh_rows)
        self.action_view(0)

    async def on_unmount(self) -> None:
        tasks = [task for task in (self._feed_task, *self._details) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def action_view(self, index: int) -> None:
        """Show another list."""
        self._index = index
        table = self.query_one(_Table)
        table.clear(columns=True)
        for column in self.view.columns:
            table.add_column(column.title)
        self._shown = {}
        self.query_one(Input).value = self._words_of[index]
        self.query_one(Input).set_class(bool(self._words_of[index]), "open")
        table.focus()
        self._update()

    def action_step(self, step: int) -> None:
        if not isinstance(self.screen, TextScreen):
            self.action_view((self._index + step) % len(VIEWS))

    def action_filter(self) -> None:
        field = self.query_one(Input)
        field.add_class("open")
        field.focus()

    def action_sort(self) -> None:
        self._orders[self._index] = (self._orders[self._index] + 1) % len(self.view.sorts)
        self._update()

    def action_all_rows(self) -> None:
        """End the filter."""
        field = self.query_one(Input)
        field.value = ""
        field.remove_class("open")
        self.query_one(_Table).focus()

    def action_help(self) -> None:
        self.push_screen(TextScreen("Keys", HELP))

    def on_input_changed(self, event: Input.Changed) -> None:
        self._words_of[self._index] = event.value
        self._update()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.input.set_class(bool(event.value), "open")
        self.query_one(_Table).focus()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        row = self._rows.get(str(event.row_key.value))
        if row is None:
            return
        screen = TextScreen(f"{self.view.name}: {event.row_key.value}", "…")
        task = asyncio.create_task(self._describe(screen, self.view.kind, row))
        self._details.add(task)
        task.add_done_callback(self._details.discard)

    async def _describe(self, screen: TextScreen, kind: str, row: Row) -> None:
        await self.push_screen(screen)
        text = await detail.text(self._feed.replicas, kind, row)
        if screen.is_attached:
            screen.show(text)

    def _refresh_rows(self) -> None:
        self._refreshes += 1
        if not self.screen_stack[0].query(_Table):
            return  # it ends
        if self._version != self._model.version or self._refreshes % _AGES == 0:
            self._update()

    def _update(self) -> None:
        self._version = self._model.version
        sort, words = self._orders[self._index], self._words_of[self._index]
        rows = self.view.select(self._model, sort, words)
        self._rows = {self.view.key(row): row for row in rows}
        cells = {key: self.view.cells(row) for key, row in self._rows.items()}
        self._show_cells(cells)
        base = self.screen_stack[0]
        base.query_one("#summary", Static).update(Text.from_ansi(summary(self._model)))
        base.query_one("#views", Static).update(self._title(len(rows)))

    def _title(self, count: int) -> Text:
        title = Text()
        for number, view in enumerate(VIEWS, 1):
            style = "reverse bold" if view is self.view else "dim"
            title.append(f" {number} {view.name} ", style)
        order = self.view.sorts[self._orders[self._index]].name
        words = f", with {self._words_of[self._index]!r}" if self._words_of[self._index] else ""
        return title.append(f"  {count} rows by {order}{words}")

    def _show_cells(self, cells: dict[str, list[str]]) -> None:
        """Bring the table up to date: single cells while the order stays, else all rows."""
        table = self.screen_stack[0].query_one(_Table)
        if list(cells) == list(self._shown):
            columns = list(table.columns)
            for key, row in cells.items():
                for column, new, old in zip(columns, row, self._shown[key], strict=True):
                    if new != old:
                        table.update_cell(key, column, Text.from_ansi(new), update_width=True)
        else:
            self._replace(table, cells)
        self._shown = cells

    def _replace(self, table: _Table, cells: dict[str, list[str]]) -> None:
        """All rows, with the cursor on the row that had it and the scroll position kept."""
        position, scroll = table.cursor_row, table.scroll_y
        before = list(self._shown)
        current = before[position] if position < len(before) else ""
        with self.batch_update():
            table.clear()
            for key, row in cells.items():
                table.add_row(*map(Text.from_ansi, row), key=key)
            if current in cells:
                position = list(cells).index(current)
            if cells:
                table.move_cursor(row=min(position, len(cells) - 1), animate=False, scroll=False)
            table.scroll_to(y=scroll, animate=False)
