"""Runs a live pipeline on what `latency_serve.py` sends; prints what it took to the sink.

Called with the websocket's address, how many trades come, of how many symbols, a folder and, for
PostgreSQL, a URL. The sink's writer is looked at from outside: when a bar is given to it, when a
segment is durable. The first second is left out: tables are made then.
"""

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from latency_serve import symbol

from werks.pipeline import Until, load, run
from werks.pipeline.patient import Patient
from werks.schema import nanoseconds

_PIPELINE = """
[pipeline]
name = "latency"
state = "{folder}/ledger.db"
commit_every = {every}
quarantine = "{folder}/aside"

[sources.trades]
type = "binance.trades"
symbols = {symbols}
start = {day}
via = ["live"]
ws_url = "{url}"

[transforms.bars]
type = "bars"
inputs = ["trades"]
by = "ticks"
every = 100

[sinks.rows]
type = "{sink}"
inputs = ["trades", "bars"]
{where}
"""
_EVERY, _USUAL, _WARM, _LONGEST = 0.1, 1.0, 10**9, 120.0


class Watch:
    """What a writer is given and has made durable, by the clock."""

    def __init__(self) -> None:
        self.rows, self.began, self.ended = 0, 0, 0
        self._fresh: list[npt.NDArray[np.int64]] = []
        self._late: dict[str, list[npt.NDArray[np.int64]]] = {"bar": [], "sink": []}
        self._cpu = 0.0
        self.spent = 0.0

    def wrote(self, node: str, batch: Any) -> None:
        now = time.time_ns()
        if node == "bars":
            self._took("bar", nanoseconds(batch["end"]), now)
            return
        sent = nanoseconds(batch["timestamp"])
        if not self.began:
            self.began, self._cpu = int(sent[0]), time.process_time()
        self._fresh.append(sent)

    def settled(self) -> None:
        now = time.time_ns()
        fresh, self._fresh = self._fresh, []
        for sent in fresh:
            self.rows += len(sent)
            self.ended = int(sent[-1])
            self._took("sink", sent, now)
        self.behind, self.spent = now - self.ended, time.process_time() - self._cpu

    def _took(self, what: str, sent: npt.NDArray[np.int64], now: int) -> None:
        self._late[what].append(now - sent[sent > self.began + _WARM])

    def told(self) -> dict[str, Any]:
        """Return rows, seconds, and milliseconds to a bar and to the sink: median, 99 %."""
        late = {what: np.concatenate(each) / 1e6 for what, each in self._late.items()}
        marks = {what: np.percentile(each, (50, 99)).tolist() for what, each in late.items()}
        wall = (self.ended - self.began) / 1e9
        return {"rows": self.rows, "wall": wall, "cpu": self.spent, "behind": self.behind / 1e9,
                **marks}  # fmt: skip


def _watched(watch: Watch) -> None:
    write: Callable[..., None] = Patient.write
    append: Callable[..., Any] = Patient.append

    def written(self: Patient, window: Any, node: str, batch: Any) -> None:
        write(self, window, node, batch)
        watch.wrote(node, batch)

    def appended(self: Patient, *given: Any) -> Any:
        receipt = append(self, *given)
        watch.settled()
        return receipt

    Patient.write, Patient.append = written, appended  # type: ignore[method-assign]


def main() -> None:
    """Run until all trades are durable."""
    url, (count, symbols), folder = sys.argv[1], map(int, sys.argv[2:4]), Path(sys.argv[4])
    sink, where = "sqlite", f'path = "{folder}/rows.db"'
    if len(sys.argv) > 5:
        sink, where = "postgres", f'url = "{sys.argv[5]}"'
    path = folder / "pipeline.toml"
    day = datetime.now(UTC).date()
    names = json.dumps([symbol(each) for each in range(symbols)])
    given = {"folder": folder, "url": url, "symbols": names, "sink": sink, "where": where}
    every = _EVERY if symbols == 1 else _USUAL
    path.write_text(_PIPELINE.format(**given, day=day, every=every), encoding="utf-8")
    watch, began = Watch(), time.monotonic()
    _watched(watch)
    report = run(
        load(path),
        until=Until(lambda: watch.rows >= count or time.monotonic() - began > _LONGEST),
    )
    assert not report.errors, report.errors
    sys.stdout.write(json.dumps(watch.told()) + "\n")


if __name__ == "__main__":
    main()
