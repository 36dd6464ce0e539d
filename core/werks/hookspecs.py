"""The hooks of a plugin: it offers classes by name, or it is told of events.

A hook is never on the path of a batch. An implementation may take any part of the arguments.
"""

from collections.abc import Mapping
from typing import Any

import pluggy

from .components import Stream, Window

hookspec = pluggy.HookspecMarker("werks")
hookimpl = pluggy.HookimplMarker("werks")


@hookspec
def werks_archives() -> Mapping[str, type]:  # type: ignore[empty-body]
    """Offer sources that read published files, by the name after the dot in `type`."""


@hookspec
def werks_histories() -> Mapping[str, type]:  # type: ignore[empty-body]
    """Offer sources that ask a REST interface for the past."""


@hookspec
def werks_snapshots() -> Mapping[str, type]:  # type: ignore[empty-body]
    """Offer lists that are read whole, as they are now: `instruments`."""


@hookspec
def werks_feeds() -> Mapping[str, type]:  # type: ignore[empty-body]
    """Offer sources that listen to a websocket."""


@hookspec
def werks_transforms() -> Mapping[str, type]:  # type: ignore[empty-body]
    """Offer transforms; without a dot in `type`, the plugin's own name is asked for."""


@hookspec
def werks_sinks() -> Mapping[str, type]:  # type: ignore[empty-body]
    """Offer sinks; without a dot in `type`, the plugin's own name is asked for."""


@hookspec
def werks_executors() -> Mapping[str, type]:  # type: ignore[empty-body]
    """Offer ways to run tasks, by name."""


@hookspec
def werks_observers() -> Mapping[str, type]:  # type: ignore[empty-body]
    """Offer observers: components whose methods are event hooks."""


@hookspec
def werks_run_started(plan: Any) -> None:
    """A run begins; `plan` says what will be read (`werks.pipeline.Plan`)."""


@hookspec
def werks_waiting(stream: Stream, reason: str) -> None:
    """A stream waits, for example for a file that is not published yet."""


@hookspec
def werks_connected(stream: Stream) -> None:
    """A connection is open, and the stream is subscribed to."""


@hookspec
def werks_disconnected(stream: Stream, reason: str) -> None:
    """A connection has ended; it is made again."""


@hookspec
def werks_gap_found(stream: Stream, window: Window, cause: str) -> None:
    """Rows of a window cannot be had; `cause` says why."""


@hookspec
def werks_gap_repaired(stream: Stream, window: Window) -> None:
    """Rows of a window that were missing are there now."""


@hookspec
def werks_mismatch_found(stream: Stream, window: Window, cause: str) -> None:
    """Minutes of a window differ from the exchange's candles; `cause` says how many, and one."""


@hookspec
def werks_window_done(stream: Stream, window: Window, done: Mapping[str, Any]) -> None:
    """Every sink has committed a window; `done` holds rows, repeats, sums and receipts."""


@hookspec
def werks_window_failed(stream: Stream, window: Window, error: Exception) -> None:
    """A window could not be done; the other streams go on."""


@hookspec
def werks_observer_failed(observer: str, error: Exception) -> None:
    """An observer could not take an event, for the first time; the run goes on."""


@hookspec
def werks_run_ended(report: Any) -> None:
    """A run has ended; `report` says what was done (`werks.pipeline.Report`)."""
