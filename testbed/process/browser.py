"""A real Chromium without a window, over the Chrome DevTools Protocol on a pair of pipes.

`--remote-debugging-pipe`: the browser reads file descriptor 3 and writes 4; each message is JSON and a NUL byte.
"""

import base64
import itertools
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from testbed.process import parent_death
from testbed.process.deadline import PATIENCE_SECONDS

_KEY_CODES = {
    "Enter": 13,
    "Escape": 27,
    "ArrowLeft": 37,
    "ArrowUp": 38,
    "ArrowRight": 39,
    "ArrowDown": 40,
    "/": 191,
}
_ON_PIPES = 'exec "$@" 3<&0 4>&1 >&2'


class Browser:
    """A browser with one page; use it as a context. `hosts`: names that are resolved to these addresses."""

    def __init__(self, directory: Path, hosts: Mapping[str, str]) -> None:
        program = shutil.which("chromium")
        assert program is not None, (
            "chromium is missing: run make debian, or leave it out: TEST_WITHOUT=browser"
        )
        rules = ", ".join(f"MAP {name} {address}" for name, address in hosts.items())
        command = [
            program,
            "--headless",
            "--no-sandbox",  # which refuses to run as root, and is not what is tested
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-proxy-server",
            "--remote-debugging-pipe",
            f"--user-data-dir={directory / 'profile'}",
            f"--host-resolver-rules={rules}",
        ]
        tied = [
            sys.executable,
            "-S",
            parent_death.__file__,
            str(os.getpid()),
            "/bin/sh",
            "-c",
            _ON_PIPES,
            "sh",
        ]
        self._errors = (directory / "chromium.log").open("wb")
        self._child = subprocess.Popen(
            [*tied, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors
        )
        self._messages: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._numbers = itertools.count(1)
        self._session: str | None = None
        self._events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self._call(f"{domain}.enable")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.kill()  # nothing in its profile is kept
        self._child.wait()
        self._reader.join()
        for pipe in (self._child.stdin, self._child.stdout, self._errors):
            if pipe is not None:
                pipe.close()

    def open(self, url: str) -> int:
        """Load a page and wait until it is complete; returns the HTTP status."""
        self._events.clear()
        answer = self._call("Page.navigate", url=url)
        assert "errorText" not in answer, (url, answer["errorText"])
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            self._next()
        responses = (event for event in self._events if event["method"] == "Network.responseReceived")
        return int(next(responses)["params"]["response"]["status"])

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page; a promise is awaited."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def show(self, width: int, height: int, *, dark: bool = False, phone: bool = False) -> None:
        """The size of the window in CSS pixels, the colours that the system prefers, and whether it is touched."""
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, file: Path) -> None:
        """What the window shows, as a PNG file."""
        file.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"]))

    def press(self, *keys: str) -> None:
        """Press keys one after the other, by their names in KeyboardEvent.key: `press("g", "s", "ArrowDown")`."""
        for key in keys:
            text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
            code = _KEY_CODES.get(key, ord(key.upper()) if len(key) == 1 else 0)
            common = {"key": key, "windowsVirtualKeyCode": code}
            self._call("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
            self._call("Input.dispatchKeyEvent", type="keyUp", **common)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press the mouse at a point of the window, move it and release it; with equal points a click."""
        for kind, (x, y) in (("mousePressed", start), ("mouseMoved", end), ("mouseReleased", end)):
            self._call(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1
            )

    def cookies(self) -> list[dict[str, Any]]:
        """All cookies, those that scripts cannot read too."""
        cookies: list[dict[str, Any]] = self._call("Network.getCookies")["cookies"]
        return cookies

    def reload(self) -> None:
        """Load the page again, as a user does: the address keeps its fragment."""
        self._events.clear()
        self._call("Page.reload")
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            self._next()

    def requests(self) -> list[str]:
        """The URLs of all requests since `open`, those of `data:` and the like too."""
        sent = (event["params"] for event in self._events if event["method"] == "Network.requestWillBeSent")
        return [parameters["request"]["url"] for parameters in sent]

    def violations(self) -> list[str]:
        """The console's messages about the page's Content-Security-Policy since `open`."""
        entries = (event["params"]["entry"] for event in self._events if event["method"] == "Log.entryAdded")
        return [entry["text"] for entry in entries if entry["source"] == "security"]

    def failures(self) -> list[str]:
        """Uncaught exceptions of scripts since `open`."""
        thrown = (event["params"] for event in self._events if event["method"] == "Runtime.exceptionThrown")
        return [json.dumps(entry["exceptionDetails"].get("exception", entry)) for entry in thrown]

    def clear(self) -> None:
        """Leave the page, and forget cookies and what pages have stored."""
        self._call("Network.clearBrowserCookies")
        self._call("Page.navigate", url="about:blank")

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(message).encode() + b"\0")
        self._child.stdin.flush()
        while (answer := self._next()).get("id") != number:
            pass
        assert "result" in answer, f"{method}: {answer}"
        result: dict[str, Any] = answer["result"]
        return result

    def _next(self) -> dict[str, Any]:
        """The next message; events are kept."""
        try:
            message = self._messages.get(timeout=PATIENCE_SECONDS)
        except queue.Empty:
            raise AssertionError(f"chromium is silent; see {self._errors.name}") from None
        assert message is not None, f"chromium ended; see {self._errors.name}"
        if "method" in message:
            self._events.append(message)
        return message

    def _read(self) -> None:
        assert self._child.stdout is not None
        rest = b""
        while more := self._child.stdout.read1():  # type: ignore[attr-defined]
            *messages, rest = (rest + more).split(b"\0")
            for message in messages:
                self._messages.put(json.loads(message))
        self._messages.put(None)
