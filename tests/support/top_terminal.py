"""`steerway top` in a test terminal."""

from collections.abc import Callable

from textual.pilot import Pilot
from textual.widgets import DataTable

from steerway.cli.top.app import TopApp
from testbed.process.deadline import PATIENCE_SECONDS


class TopTerminal:
    """The application with its pilot."""

    def __init__(self, app: TopApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    def lines(self) -> list[str]:
        """The rows of the table, cells separated by spaces."""
        table = self.app.screen_stack[0].query_one(DataTable)
        return [" ".join(map(str, table.get_row_at(index))) for index in range(table.row_count)]

    def text(self, selector: str) -> str:
        """What a widget of the screen shows."""
        return str(self.app.screen.query_one(selector).render())

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait while the application runs."""
        for _ in range(int(PATIENCE_SECONDS * 20)):
            if condition():
                return
            await self.pilot.pause(0.05)
        screen = [str(widget.render()) for widget in self.app.screen.query("Static")]
        raise AssertionError(f"{what}: {self.lines()}, {screen}")
