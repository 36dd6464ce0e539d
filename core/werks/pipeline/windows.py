"""The windows of one stream: rows parted at midnight, pushed through the flow, committed by day."""

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa

from ..components import State, Stream, Writer
from ..schema import nanoseconds
from .bundles import ENOUGH
from .day import Day, Given, Known
from .task import DAY, Done, StreamTask, Task, midnight

Heard = Callable[[Done | tuple[Stream, int]], None]


class Windows:
    """Takes a stream's rows in order and commits each of its windows to every sink."""

    def __init__(
        self,
        task: Task,
        stream: StreamTask,
        writers: Mapping[str, Writer],
        tell: tuple[Heard, Known],
    ) -> None:
        self._task = task
        self._stream = stream.stream
        self._left = list(stream.days)
        self._writers = writers
        self._heard, self._known = tell
        self._states: Mapping[str, State] = stream.states
        self._cut = stream.cut
        self._verify = stream.verify
        self._beside = stream.beside
        self._last_id = stream.last_id
        self._day: Day | None = None

    def take(self, batch: pa.RecordBatch) -> None:
        """Take rows; those of days that are not asked for are left out."""
        days = nanoseconds(batch["timestamp"]) // DAY
        begin = 0
        while begin < len(batch):
            number = int(days[begin])
            end = int(np.searchsorted(days, number, "right"))
            self._until(number)
            if self._day is not None and self._day.number == number:
                self._day.take(batch.slice(begin, end - begin))
            begin = end
        self._heard((self._stream, len(batch)))

    def finish(self) -> None:
        """Commit what is left, days without any row included."""
        while self._day is not None or self._left:
            self._next()

    def _until(self, number: int) -> None:
        """Commit the days before a day, and begin that day if it is asked for."""
        while (self._day or self._left) and self._number() < number:
            self._next()
        if self._day is None and self._left and self._number() == number:
            self._begin()

    def _number(self) -> int:
        day = self._day.task.day if self._day else self._left[0].day
        return midnight(day) // DAY

    def _begin(self) -> None:
        day = self._left.pop(0)
        given = Given(self._writers, self._states, self._verify, self._beside, ENOUGH)
        self._day = Day(self._task, self._stream, day, given)
        before = (self._cut, None if self._cut else self._last_id)
        self._day.follow(self._task.prints.began(self._states, before), before)
        self._cut = False

    def _next(self) -> None:
        if self._day is None:
            self._begin()
        if self._day is not None:
            done = self._day.close(self._known)
            self._day = None
            self._states = done.states
            if done.ids and done.rows:
                self._last_id = done.ids.most
            self._heard(done)
