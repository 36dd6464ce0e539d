"""A simulated exchange in compressed time, a pipeline that follows it, a storm over both.

`python -m tests.storming` is the pipeline's side of it in a process of its own, to be killed.
"""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import attrs

from werks.ledger import Gap, Ledger
from werks.pipeline import Report, Until, load, run, to_repair
from werks.testing import Loopback, LoopbackSocket, Storm
from werks.testing.storm import STRIKES

from .compared import difference, plain, reader
from .stormed import EXCHANGES, Course, Stormed
from .weather import Weather, is_live, mount

MINUTE = 60 * 10**9
DAY = 24 * 60 * MINUTE
MIDNIGHT = 1_704_240_000_000_000_000  # 2024-01-03
SINKS = {
    "files": ("trades", "ticks", "minutes", "dollars"),
    "db": ("trades", "minutes", "dollars"),
}
PIPELINE = """
[pipeline]
name = "storm"
state = "{root}/werks.db"
commit_every = 0.4
repair_within = 20
reconnect_after = 0.02
tries = 2
quarantine = "{root}/aside"

[sources.trades]
symbols = {symbols}
start = 2024-01-01
{source}
{more}

[transforms.ticks]
type = "aggregate"

[transforms.minutes]
type = "bars"
inputs = ["ticks"]
by = "time"
every = "1m"

[transforms.dollars]
type = "bars"
inputs = ["ticks"]
by = "notional"
every = 1_000_000

[sinks.files]
type = "feather"
inputs = ["trades", "ticks", "minutes", "dollars"]
path = "{root}/disk/data"
"""
DATABASE = """
[sinks.db]
type = "sqlite"
inputs = ["trades", "minutes", "dollars"]
path = "{root}/rows.db"
timeout = 0.05
"""
# Rows are on their way for so many seconds of ours, which are many of the market's.
GRACE = 0.5
# What is counted in seconds of ours, and would not let a test of a compressed hour end.
PATIENCE = {
    "werks.live.listener._ACKED_WITHIN": 1.5,
    "werks.live.listener._GOOD": 1.0,
    "werks.live.line._CONNECT": 1.0,
    "werks.pipeline.lane._SETTLE": 0.5,
    "werks.pipeline.lane._LONGEST": 1.0,
    "werks.pipeline.patient._LONGEST": 1.0,
}


def hasten(change: Callable[[object, str, object], None], exchange: Stormed, speed: float) -> None:
    """Shorten what is waited for; `change` sets an attribute of a module or a class."""
    for path, seconds in PATIENCE.items():
        module, _, name = path.rpartition(".")
        change(sys.modules[module], name, seconds)
    for owner, name, value in exchange.hastened(speed):
        change(owner, name, value)


@attrs.define
class Trial:
    """One exchange's two servers, its market from `begin` to `until`, a pipeline in a folder.

    Times are in ns since 1970; the market's time goes `speed` times as fast as ours. Our clock may
    be `ahead` of the exchange's, in ns.
    """

    exchange: Stormed
    rest: Loopback
    root: Path
    begin: int
    until: int
    speed: float
    course: Course = attrs.field(init=False)
    server: LoopbackSocket = attrs.field(init=False)
    ahead: int = attrs.field(default=0, init=False)
    _began: float = attrs.field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        self.course = self.exchange.course(self.exchange.symbols, self.begin, self.until)
        self.server = LoopbackSocket(self.exchange.words, heartbeat=0.2)
        for path, answer in self.course.answers().items():
            self.rest.answer(path, answer)
        list(self.course.advance(self.begin))
        self.publish()

    def publish(self) -> None:
        """Publish what the exchange has published by now."""
        for path, body in self.course.published(datetime(2024, 1, 1).date()):
            self.rest.put(path, body)

    def file(self, name: str = "live", more: str = "", sinks: str = DATABASE) -> Path:
        """Return a new pipeline file in a folder of its own."""
        root = self.root / name
        (root / "real").mkdir(parents=True)
        mount(root, "real")
        source = self.exchange.source.format(rest=self.rest.url, ws=self.server.url)
        symbols = list(self.exchange.symbols)
        text = (PIPELINE + sinks).format(root=root, symbols=symbols, source=source, more=more)
        (path := root / "p.toml").write_text(text)
        return path

    def now(self) -> datetime:
        """Return the exchange's time."""
        return datetime.fromtimestamp(self.course.now // 10**9, UTC)

    def play(self) -> None:
        """Let the exchange's time go on to its end."""
        self._began = time.monotonic()
        self.server.play(self.course.advance, self.course.now, self.speed, self.until)

    def weather(self, seed: int, calm: float = 0.85, outages: bool = True) -> Weather:
        """Return a storm, with or without outages of sinks, until such a part of the time."""
        names = [name for name in STRIKES if name not in self.exchange.spared]
        storm = Storm(seed, self.server, self.rest, self.exchange.paths, names)
        end = self.begin + int((self.until - self.begin) * calm)
        root = self.root / "live"
        ready = partial(is_live, root, len(self.exchange.symbols))
        return Weather(storm, root if outages else None, ready, lambda: self.server.now >= end)

    def run(self, file: Path, settle: float = 0.0, observer: object = None) -> Report:
        """Follow the market live to its end, and listen so many seconds more in silence."""
        over = Soon(lambda: self.server.now >= self.until and self.has_last(file), still=settle)
        grace = self.speed * GRACE

        def clock() -> int:
            # Not the course's: by the server's time, all that has happened is on its way.
            silence = int(grace + 31) * 10**9 if over.since else 0
            return max(self.begin, self.server.now) + silence + self.ahead

        graph = load(file)
        if observer is not None:
            graph.config.plugins.manager.register(observer)
        report = run(graph, now=self.now(), until=Until(over, clock, grace))
        assert not over.late, f"the last trades have not come: {self.held(file)}; {report.errors}"
        return report

    def start(self, file: Path) -> "subprocess.Popen[bytes]":
        """Follow the market in a process of its own, until there is a file `over`."""
        name = next(name for name, each in EXCHANGES.items() if each is self.exchange)
        times = (self._began, self.begin, self.until, self.speed)
        command = [sys.executable, "-m", __name__, name, file, *times]
        tests = Path(__file__).parent
        return subprocess.Popen(list(map(str, command)), cwd=tests.parent, stderr=subprocess.PIPE)

    def last(self) -> Mapping[str, str]:
        """Return the id of each market's last trade."""
        found = {}
        for symbol in self.exchange.symbols:
            rows = self.course.trades(symbol, self.begin, self.until)
            found[symbol] = rows["trade_id"][-1].as_py()
        return found

    def has_last(self, file: Path) -> bool:
        """Tell whether each market's last trade is in the database: all before it is, or lost."""
        wanted = self.last().items()
        with closing(sqlite3.connect(file.parent / "rows.db", timeout=0.05)) as db:
            try:
                ask = "SELECT count(*) FROM trades WHERE symbol = ? AND trade_id = ?"
                return all(db.execute(ask, each).fetchone()[0] for each in wanted)
            except sqlite3.OperationalError:  # locked, or not made yet
                return False

    def held(self, file: Path) -> Mapping[str, int]:
        """Return how many trades of each market are in the database."""
        with closing(sqlite3.connect(file.parent / "rows.db")) as db:
            return dict(db.execute("SELECT symbol, count(*) FROM trades GROUP BY symbol"))

    def repair(self, file: Path) -> None:
        """Go on to when the archive has it all, and repair as `werks repair` does."""
        later = MIDNIGHT + DAY + self.exchange.lag // timedelta(microseconds=1) * 1000
        list(self.course.advance(later))
        self.publish()
        graph = load(file)
        settings = graph.config.settings
        with closing(Ledger(settings.state, settings.name)) as ledger:
            found = to_repair(graph, ledger, self.now())
        assert not found.hopeless, found.hopeless
        errors = run(graph, now=self.now(), again=found.again).errors
        assert errors == [], errors
        assert self.gaps(file) == []

    def gaps(self, file: Path) -> Sequence[Gap]:
        """Return what the ledger says is missing."""
        settings = load(file).config.settings
        with closing(Ledger(settings.state, settings.name)) as ledger:
            return ledger.gaps()

    def check(self, file: Path, more: str = "") -> None:
        """Compare all rows of all sinks with the tape, and with those of a run over the past only.

        `repair` has been before, or `more` says when it has to stop.
        """
        past = f"via = {list(self.exchange.past)}\n{more}"
        quiet = load(self.file("quiet", past, sinks=""))
        assert run(quiet, now=self.now()).errors == []
        ours, theirs = reader(load(file)), reader(quiet)
        for symbol in self.exchange.symbols:
            tape = self.course.trades(symbol, MIDNIGHT - 2 * DAY, self.course.now)
            for node in SINKS["files"]:
                true = theirs("files", node, symbol)
                for sink in (sink for sink, nodes in SINKS.items() if node in nodes):
                    found = difference(ours(sink, node, symbol), true)
                    assert not found, f"{sink}, {node}, {symbol}: {found}"
                if node == "trades":
                    found = difference(true, plain(tape))
                    assert not found, f"the tape of {symbol}: {found}"


class Soon:
    """Over when something has been so for `still` seconds; `late` if it took too long."""

    def __init__(
        self, is_so: Callable[[], bool], seconds: float = 100.0, still: float = 0.0
    ) -> None:
        self._is_so, self._end, self._next = is_so, time.monotonic() + seconds, 0.0
        self._still, self.since = still, 0.0
        self.late = False

    def __call__(self) -> bool:
        """Tell whether it is over; asked again and again, it looks a few times a second."""
        now = time.monotonic()
        if not self.since and now >= self._next:
            self._next = now + 0.25
            self.since = now if self._is_so() else 0.0
        self.late = not self.since and now > self._end
        return self.late or bool(self.since and now >= self.since + self._still)


def main(name: str, file: str, began: str, begin: str, until: str, speed: str) -> None:
    """Run a pipeline live until there is a file `over` beside it."""
    import werks.live.listener
    import werks.pipeline.listening  # noqa: F401  (they are loaded when they are needed)

    hasten(setattr, EXCHANGES[name], float(speed))

    def clock() -> int:
        gone = int((time.monotonic() - float(began)) * float(speed) * 10**9)
        return min(int(begin) + gone, int(until))

    end = Soon((Path(file).parent / "over").exists)
    now = datetime.fromtimestamp(clock() // 10**9, UTC)
    report = run(load(file), now=now, until=Until(end, clock, float(speed) * GRACE * 2))
    if report.errors:
        sys.exit(str(report.errors))


if __name__ == "__main__":
    main(*sys.argv[1:])
