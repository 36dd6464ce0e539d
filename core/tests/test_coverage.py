"""What there is of a day is told from the file and the ledger alone; the worst of it counts."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import attrs
import pytest

from werks.cli.calendar.totals import Totals
from werks.components import Stream
from werks.config import Config, read
from werks.ledger import Difference, Gap, Ledger, WindowRecord
from werks.pipeline.coverage import MARKS, coverage, ledger_of, named
from werks.pipeline.place import Place
from werks.pipeline.streaming import Mark

SHOP = Path(__file__).with_name("shop.py")
NOW = datetime(2024, 5, 10, 12, tzinfo=UTC)
DAY = 86_400 * 10**9
A = Stream("shop", "A", "shop.trades")
FIRST = date(2024, 5, 1)
TEXT = """
[pipeline]
state = "werks.db"

[sources.trades]
type = "shop.trades"
symbols = {symbols}
start = 2024-05-01
{stop}
folder = "shelf"
via = ["archive"]
"""


def day(number: int) -> date:
    return FIRST + timedelta(days=number - 1)


def record(number: int, stream: Stream = A, until: int | None = None) -> WindowRecord:
    end = (day(number + 1) - date(1970, 1, 1)).days * DAY
    known = {"size": None, "notional": None, "first_id": None, "last_id": None}
    return WindowRecord(
        stream=stream,
        day=day(number),
        door="archive",
        url="file:///a",
        until=until or end,
        finished=until is None,
        rows=10,
        repeats=0,
        holes=0,
        **known,
    )


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Return a function that reads a pipeline file of some symbols."""
    monkeypatch.chdir(tmp_path)

    def made(symbols: str = '["A"]', stop: str = "stop = 2024-05-05"):
        Path("p.toml").write_text(TEXT.format(symbols=symbols, stop=stop))
        return read(Path("p.toml"), NOW, [SHOP])

    return made


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(str(tmp_path / "werks.db"), "pipeline")
    yield ledger
    ledger.close()


def alike(config: Config, pattern: str) -> Config:
    """Return a file with a pattern as symbol, which this plugin, having no list, would refuse."""
    source = attrs.evolve(config.sources["trades"], symbols=(pattern,))
    return attrs.evolve(config, sources={"trades": source})


def marks(config, ledger):
    (found,) = coverage(config, ledger, NOW)
    return {each.day.day: each.mark for each in found.days}


def test_all_wanted_days_wait_where_nothing_has_been_read(config):
    assert marks(config(), None) == dict.fromkeys(range(1, 5), "waiting")


def test_days_are_wanted_up_to_the_last_that_is_over(config):
    assert max(marks(config(stop=""), None)) == 9


def test_a_stop_within_a_day_wants_that_day(config):
    assert max(marks(config(stop="stop = 2024-05-05T06:00:00Z"), None)) == 5


def test_a_window_is_verified_or_not_or_differs(config, ledger):
    for number in (1, 2, 3, 4):
        ledger.done(record(number), {}, {})
    ledger.checked(A, day(1), True, "", [])
    ledger.checked(A, day(2), False, "", [Difference(0, "open", "1", "2")])
    ledger.checked(A, day(3), None, "no candles", [])
    expected = {1: "verified", 2: "mismatch", 3: "unverified", 4: "unverified"}
    assert marks(config(), ledger) == expected


def test_what_is_missing_counts_for_more_than_what_is_equal(config, ledger):
    for number in (1, 2, 3):
        ledger.done(record(number), {}, {})
        ledger.checked(A, day(number), number != 2, "", [])
    ledger.found([Gap(A, day(1), "ids", "left out", missing=3)])
    ledger.found([Gap(A, day(2), "ids", "left out"), Gap(A, day(2), "mismatch", "differ")])
    ledger.found([Gap(A, day(3), "day", "cannot be read again"), Gap(A, day(4), "day", "gone")])
    assert marks(config(), ledger) == {1: "gap", 2: "gap", 3: "gap", 4: "missing"}


def test_a_gap_that_is_settled_counts_no_more(config, ledger):
    for number in (1, 2):
        ledger.done(record(number), {}, {})
    gaps = [Gap(A, day(n), "ids" if n < 3 else "day", "left out") for n in (1, 2, 3, 4)]
    ledger.found(gaps)
    for gap, status in zip(gaps, ["repaired", "absent", "repaired", "absent"], strict=True):
        ledger.settle(A, gap.day, gap.kind, status)
    (found,) = coverage(config(), ledger, NOW)
    expected = ["unverified", "unverified", "waiting", "missing"]
    assert [each.mark for each in found.days] == expected
    assert found.gaps == []
    assert [len(each.gaps) for each in found.days] == [1, 1, 1, 1]


def test_a_day_is_read_in_part_until_all_that_is_wanted_of_it_is_read(config, ledger):
    six = (day(5) - date(1970, 1, 1)).days * DAY + DAY // 4
    ledger.done(record(5, until=six), {}, {})
    assert marks(config(stop="stop = 2024-05-05T06:00:00Z"), ledger)[5] == "unverified"
    assert marks(config(stop="stop = 2024-05-05T07:00:00Z"), ledger)[5] == "part"


def test_a_day_that_is_live_is_there_in_part_until_it_is_done(config, ledger):
    noon = (day(4) - date(1970, 1, 1)).days * DAY + DAY // 2
    ledger.go_on({A: Mark(day(4), Place(noon), {}, {}, {}, {}, {}).text()})
    (found,) = coverage(config(), ledger, NOW)
    assert [each.mark for each in found.days] == ["waiting"] * 3 + ["part"]
    assert [each.live for each in found.days] == [None, None, None, noon]
    assert found.untouched == 3
    assert "live: 2024-05-04 up to 12:00:00 UTC" in Totals.of(found).words()
    assert Totals.of(found).plain()["live"] == {"2024-05-04": "12:00:00 UTC"}
    ledger.found([Gap(A, day(4), "ids", "left out")])
    assert marks(config(), ledger)[4] == "gap"
    ledger.done(record(4), {}, {})
    (found,) = coverage(config(), ledger, NOW)
    assert found.days[-1].live is None
    assert "live" not in " ".join(Totals.of(found).words())


def test_days_outside_of_what_is_wanted_are_shown_as_they_are(config, ledger):
    ledger.done(record(-3), {}, {})
    ledger.done(record(9), {}, {})
    (found,) = coverage(config(), ledger, NOW)
    assert [each.day for each in found.days] == [day(n) for n in (-3, 1, 2, 3, 4, 9)]
    assert found.untouched == 0


def test_days_before_the_first_that_is_known_are_counted(config, ledger):
    ledger.found([Gap(A, day(3), "day", "gone")])
    (found,) = coverage(config(), ledger, NOW)
    assert found.untouched == 2


def test_a_pattern_stands_for_what_the_ledger_knows_of_it(config, ledger):
    others = [Stream("shop", "AB", "shop.trades"), Stream("shop", "AC", "shop.other")]
    for stream in (A, *others):
        ledger.done(record(1, stream), {}, {})
    given = alike(config(), "A*")
    found = coverage(given, ledger, NOW)
    assert [(each.stream, each.named) for each in found] == [
        (A, True),
        (others[0], True),
        (others[1], False),
    ]
    assert [named(given, stream) for stream in (A, *others)] == [True, True, False]


def test_a_pattern_of_which_nothing_is_known_waits(config):
    (found,) = coverage(alike(config(), "A*"), None, NOW)
    assert (found.stream.symbol, found.untouched) == ("A*", 4)


def test_a_stream_that_the_file_names_no_more_comes_last(config, ledger):
    ledger.done(record(1), {}, {})
    found = coverage(config('["B"]'), ledger, NOW)
    assert [(each.stream.symbol, each.named, len(each.days)) for each in found] == [
        ("B", True, 4),
        ("A", False, 1),
    ]


def test_to_look_makes_no_ledger(config):
    with ledger_of(config()) as ledger:
        assert ledger is None
    assert not Path("werks.db").exists()


def test_every_mark_is_explained():
    assert all(MARKS.values())
