"""A back-fill from a simulated exchange's REST interface: unbound, and bound by its limit."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from measure import Contender, environment, interleaved, spend
from place import Place, werks
from serving import asked, served
from table import COSTS, GOALS, costs, goal, show

# The simulated exchange lets 1,200 pages pass a minute, and the core asks for a fifth of them at
# once and spreads the rest evenly: see `werks.throttle`.
_AT_ONCE, _RATE = 240, 16.0
_PER_DAY = 200_000  # a day, give or take a tenth, is fewer pages than may be asked for at once
_FEW, _MANY = 1, 3
_OF_LIMIT = 0.9
_PATH = "/trades"

_FILE = """
[pipeline]
name = "bench"
state = "{folder}/werks.db"

[sources.trades]
type = "sim.trades"
symbols = ["BTCUSD"]
start = 2024-05-01
stop = 2024-05-0{stop}
via = ["rest"]
rest_url = "{url}"
trades_per_day = {rows}

[transforms.ticks]
type = "aggregate"

[transforms.minutes]
type = "bars"
by = "time"
every = "1m"

[sinks.files]
type = "feather"
inputs = ["ticks", "minutes"]
path = "{folder}/out"
"""


def run(place: Place, rounds: int) -> None:
    """Print both tables; the bound one takes about half a minute a round, and runs once."""
    env = environment(place.compiled)
    with served("--sim", str(_PER_DAY)) as url:
        unbound = [
            Contender("pages only", lambda: _fetch(url)),
            Contender("werks run, via rest", _werks(place, url, _FEW)),
        ]
        interleaved(unbound, 1, env)  # compiles the modules, has the server make its pages
        for each in unbound:
            each.spent.clear()
        before = asked(url, _PATH)
        pages_only, ours = interleaved(unbound, rounds, env)
        pages = (asked(url, _PATH) - before) // (2 * rounds)
        before = asked(url, _PATH)
        wall = spend(_werks(place, url, _MANY)(), env).wall
        many = asked(url, _PATH) - before
    place.clean()
    title = f"back-fill of {pages} pages of 1,000 trades, fewer than the limit lets pass at once"
    show(title, COSTS, [costs(pages_only), costs(ours)])
    rows = 1000 * pages / ours.middle("cpu")
    print(f"{rows / 1000:,.0f} k rows a second of CPU, start included")
    limit = (many - _AT_ONCE) / _RATE
    print(f"{many} pages take {limit:.1f} s by the limit alone, and took {wall:.1f} s")
    show("goals", GOALS, [goal("of the speed that the limit allows", limit / wall, _OF_LIMIT)])


def _werks(place: Place, url: str, days: int) -> Callable[[], Sequence[str]]:
    def command() -> Sequence[str]:
        folder = place.scratch()
        return werks("run", str(_write(folder, url, days)), "--quiet")

    return command


def _write(folder: Path, url: str, days: int) -> Path:
    path = folder / "bench.toml"
    given = {"folder": folder.as_posix(), "url": url, "rows": _PER_DAY, "stop": 1 + days}
    path.write_text(_FILE.format(**given), encoding="utf-8")
    return path


def _fetch(url: str) -> Sequence[str]:
    bounds = (datetime(2024, 5, day, tzinfo=UTC) for day in (1, 1 + _FEW))
    times = (str(int(each.timestamp()) * 10**6) for each in bounds)
    python = str(Path(werks()[0]).with_name("python"))
    return [python, "fetch_pages.py", url, "BTCUSD", *times]
