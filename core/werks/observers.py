"""An observer that writes what happens as lines of JSON."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs

from .components import Stream, Window, option
from .errors import WerksError
from .hookspecs import hookimpl


@attrs.frozen(eq=False)
class Log:
    """Appends a line of JSON to a file for each event of a run."""

    path: Path = option(help="the file that is appended to")

    @hookimpl
    def werks_waiting(self, stream: Stream, reason: str) -> None:
        """Write that a stream waits."""
        self._write("waiting", stream, reason=reason)

    @hookimpl
    def werks_gap_found(self, stream: Stream, window: Window, cause: str) -> None:
        """Write that a window cannot be had."""
        self._write("gap_found", stream, window=window.name, cause=cause)

    @hookimpl
    def werks_gap_repaired(self, stream: Stream, window: Window) -> None:
        """Write that what was missing of a window is there now."""
        self._write("gap_repaired", stream, window=window.name)

    @hookimpl
    def werks_mismatch_found(self, stream: Stream, window: Window, cause: str) -> None:
        """Write that minutes of a window differ from the exchange's candles."""
        self._write("mismatch_found", stream, window=window.name, cause=cause)

    @hookimpl
    def werks_window_done(self, stream: Stream, window: Window, done: Mapping[str, Any]) -> None:
        """Write that a window is done, and how many rows it had."""
        figures = {name: done[name] for name in ("rows", "repeats", "size", "notional", "written")}
        self._write("window_done", stream, window=window.name, **figures)

    @hookimpl
    def werks_window_failed(self, stream: Stream, window: Window, error: Exception) -> None:
        """Write that a window could not be done, and why."""
        self._write("window_failed", stream, window=window.name, error=str(error))

    @hookimpl
    def werks_observer_failed(self, observer: str, error: Exception) -> None:
        """Write that another observer could not take an event, and why."""
        self._write("observer_failed", None, observer=observer, error=str(error))

    @hookimpl
    def werks_run_ended(self, report: Any) -> None:
        """Write the figures of the run."""
        self._write("run_ended", None, **report.plain())

    def _write(self, event: str, stream: Stream | None, **details: Any) -> None:
        of = attrs.asdict(stream) if stream else {}
        line = {"time": datetime.now(UTC).isoformat(), "event": event, **of, **details}
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            why = f"{error.strerror}; name another path or take the observer out"
            raise WerksError(f"{self.path}: the log cannot be written: {why}") from error


@hookimpl
def werks_observers() -> Mapping[str, type]:
    """Offer `log`."""
    return {"log": Log}
