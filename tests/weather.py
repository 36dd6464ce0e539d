"""What befalls a pipeline in a storm: connections, REST and sinks fail, one after the other."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

from werks.testing import Storm


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Have another program write to the database."""
    with closing(sqlite3.connect(root / "rows.db", timeout=5, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def unmounted(root: Path) -> Iterator[None]:
    """Have the disk of the files gone for a while."""
    mount(root, "nowhere")
    yield
    mount(root, "real")


def mount(root: Path, target: str) -> None:
    """Have `disk` lead somewhere else, from one moment to the next."""
    new = root / "new"
    new.symlink_to(target)
    new.replace(root / "disk")


def is_live(root: Path, streams: int) -> bool:
    """Tell whether the run of a folder has committed rows of so many streams that came live."""
    with closing(sqlite3.connect(root / "werks.db", timeout=0.05)) as ledger:
        try:
            ask = "SELECT count(*) FROM werks_ledger_live"
            return bool(ledger.execute(ask).fetchone()[0] >= streams)
        except sqlite3.OperationalError:  # it is not made yet
            return False


class Weather:
    """Strikes connections, REST and sinks in an order that a seed fixes, until it is to be calm.

    It begins once `is_live` says so: what fails while the past is read is another test.
    """

    def __init__(
        self,
        storm: Storm,
        root: Path | None,
        is_live: Callable[[], bool],
        is_over: Callable[[], bool],
    ) -> None:
        self.storm, self.told = storm, list[str]()
        self._root, self._is_live, self._is_over = root, is_live, is_over
        self._random = Random(storm.seed)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="weather")

    def __enter__(self) -> "Weather":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        self._strike()
        if self.storm.rest is not None:  # what has befallen no question yet is no weather of later
            self.storm.rest.calm()

    def _strike(self) -> None:
        while not self._is_over() and not self._ended.wait(0.3):
            if not self._is_live():
                continue
            if self._random.random() < 1 / 8 and self._root is not None:
                outage = self._random.choice((locked, unmounted))
                self.told.append(outage.__name__)
                with outage(self._root):
                    self._ended.wait(self._random.uniform(0.1, 1.0))
            else:
                self.told.append(self.storm.strike())
