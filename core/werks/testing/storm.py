"""Faults in a random order that a seed fixes: what a live source must survive."""

from collections.abc import Callable, Sequence
from random import Random

import attrs

from .loopback import Loopback
from .socket import LoopbackSocket

Strike = Callable[[LoopbackSocket, int | None, int], object]


def _drop(server: LoopbackSocket, line: int | None, _: int) -> None:
    server.drop(line)


_SLOW_DOWN = 429
# By name: what is done to a connection (None: to all), with a number from 1 to 5.
STRIKES: dict[str, tuple[Strike, ...]] = {
    "drop": (_drop,),
    "reset": (lambda server, line, _: server.drop(line, reset=True),),
    "close": (lambda server, line, _: server.close(line),),
    "half_open": (lambda server, line, _: server.half_open(line),),
    "silence": (lambda server, line, _: server.silence(line),),
    "lose": (lambda server, line, times: server.lose(times, line),),
    "duplicate": (lambda server, line, times: server.duplicate(times, line),),
    "reorder": (lambda server, line, times: server.reorder(1 + times, line),),
    "mangle": (lambda server, line, times: server.mangle(times, line),),
    "unexpected": (lambda server, line, _: server.unexpected(line),),
    "garbage": (lambda server, line, _: server.garbage("binary", line),),
    "no_utf8": (lambda server, line, _: server.garbage("text", line),),
    "no_frame": (lambda server, line, _: server.garbage("frame", line),),
    "oversize": (lambda server, line, _: server.oversize(line=line),),
    "fragment": (lambda server, line, times: server.fragment(times, line),),
    "maintenance": (lambda server, line, _: server.maintenance(line), _drop),
    "limited": (lambda server, _, times: server.refuse(429, times), _drop),
    "unavailable": (lambda server, _, times: server.refuse(503, times), _drop),
    "unanswered": (lambda server, *_: server.refuse(0), _drop),
    "no_ack": (lambda server, *_: server.withhold(), _drop),
    "late_ack": (lambda server, _, times: server.delay(times / 50), _drop),
    "stale": (lambda server, _, times: server.stale(times - 1), _drop),
}


@attrs.define
class Storm:
    """Strikes a server, and the REST beside it if it is given, each time in another way.

    `names` are the strikes that may come (`STRIKES`); `told` are those that came. The order, and
    how hard each is, depend on the seed alone; who is struck, on who is there.
    """

    seed: int
    server: LoopbackSocket
    rest: Loopback | None = None
    paths: Sequence[str] = ()
    names: Sequence[str] = tuple(STRIKES)
    told: list[str] = attrs.field(factory=list, init=False)
    _random: Random = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._random = Random(self.seed)  # noqa: S311  (no secret)

    def strike(self) -> str:
        """Do the next thing and return its name; one in four befalls REST."""
        times, place = self._random.randint(1, 5), self._random.random()
        name = self._random.choice(list(self.names))
        if self.rest is not None and self.paths and self._random.random() < 1 / 4:
            name = f"rest {(status := self._random.choice((429, 500, 503)))}"
            wait = 1 if status == _SLOW_DOWN else None  # else a minute is waited
            self.rest.fail(self._random.choice(list(self.paths)), status, times, wait)
        else:
            lines = self.server.open
            line = lines[int(place * len(lines))] if lines else None
            for strike in STRIKES[name]:
                strike(self.server, line, times)
        self.told.append(name)
        return name
