"""A headless Chromium that opens pages and tells what happened, over two pipes in the DevTools protocol: no network."""

import fcntl
import json
import os
import select
import shutil
import signal
import time
from pathlib import Path
from typing import Any, NamedTuple, Self

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
_PATIENCE_S = 60
_OPTIONS = (
    "--headless",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
_WATCHED = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded", "Page.javascriptDialogOpening")


class Opened(NamedTuple):
    """What happened when a page was opened: complaints of the console, dialogs, addresses that were asked for."""

    complaints: list[Any]
    addresses: list[str]
    session: str


class Browser:
    """A browser with a profile folder of its own; ends with the block that it is used in."""

    def __init__(self, profile: Path) -> None:
        self._profile = profile
        self._rest, self._count, self._events = b"", 0, []

    def __enter__(self) -> Self:
        read_by_it, self._to = _pipe()
        self._from, written_by_it = _pipe()
        root = ["--no-sandbox"] if os.getuid() == 0 else []
        command = [CHROMIUM, *_OPTIONS, *root, f"--user-data-dir={self._profile}", "about:blank"]
        silent = (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)
        pipes = [(os.POSIX_SPAWN_DUP2, read_by_it, 3), (os.POSIX_SPAWN_DUP2, written_by_it, 4)]
        self._child = os.posix_spawn(CHROMIUM, command, os.environ, file_actions=[silent, *pipes], setsid=True)
        os.close(read_by_it)
        os.close(written_by_it)
        return self

    def __exit__(self, *_: object) -> None:
        os.killpg(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)
        os.close(self._to)
        os.close(self._from)

    def ask(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        """The result of a command; what else is told meanwhile is kept."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        message |= {"sessionId": session} if session else {}
        os.write(self._to, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + _PATIENCE_S
        while True:
            told = self._next(end)
            if told.get("id") == self._count:
                assert "error" not in told, f"{method}: {told['error']}"
                return told["result"]
            self._events.append(told)

    def open(self, page: Path, width: int, *, dark: bool = False) -> Opened:
        """Open a file in a window so many px wide, and wait until it is there."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Network", "Page"):
            self.ask(f"{domain}.enable", session)
        sizes = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.ask("Emulation.setDeviceMetricsOverride", session, **sizes)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", session, features=[scheme])
        self._events.clear()
        self.ask("Page.navigate", session, url=page.as_uri())
        end = time.monotonic() + _PATIENCE_S
        while not any(event.get("method") == "Page.loadEventFired" for event in self._events):
            self._events.append(self._next(end))
        self.ask("Page.bringToFront", session)
        own = [event for event in self._events if event.get("sessionId") == session]
        asked = [event["params"]["request"]["url"] for event in own if event["method"] == "Network.requestWillBeSent"]
        return Opened([event for event in own if event["method"] in _WATCHED], asked, session)

    def tell(self, opened: Opened, expression: str) -> Any:
        """The value of a JavaScript expression in an opened page."""
        told = self.ask("Runtime.evaluate", opened.session, expression=expression, returnByValue=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def _next(self, end: float) -> Any:
        while b"\0" not in self._rest:
            ready = select.select([self._from], [], [], max(0, end - time.monotonic()))[0]
            assert ready, "the browser says nothing"
            piece = os.read(self._from, 1 << 20)
            assert piece, "the browser has ended"
            self._rest += piece
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)


def _pipe() -> tuple[int, int]:
    """A pipe whose ends are above 4, so that none is in the way of those that the browser gets."""
    ends = os.pipe()
    high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends)
    for end in ends:
        os.close(end)
    return high
