"""What a feed gives wrongly ends its stream, and no other; the run says so at its end."""

import json
import time
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from werks.checked import MisfitError
from werks.live import ROOM, Arrived, Failed, Player, Told
from werks.live.fitting import Fitting
from werks.live.recorded import Taped
from werks.live.recording import Line
from werks.pipeline import Until, load, run
from werks.schema import batch, nanoseconds, scales, schema, times, word
from werks.testing import LoopbackSocket
from werks.testing.words import Venue
from werks_sim import Feed, Words
from werks_sim.feed import Conversation

GOOD, BAD = "BTCUSD", "ETHUSD"
TRADE = schema("TRADE", scales(Feed.schema))
YEARS = 31 * 365 * 86_400 * 10**9
PIPELINE = """
[pipeline]
state = "werks.db"
commit_every = 0.1
reconnect_after = 0.01

[sources.trades]
type = "sim.trades"
symbols = ["BTCUSD", "ETHUSD"]
start = {day}
via = ["live"]
ws_url = "{url}"

[transforms.minutes]
type = "bars"
by = "time"
every = "1m"

[sinks.files]
type = "csv"
inputs = ["trades", "minutes"]
path = "data"
"""


def made(symbol, first=1, rows=3, now=None):
    now = time.time_ns() if now is None else now
    return batch(
        TRADE,
        exchange=word("sim", rows),
        symbol=word(symbol, rows),
        timestamp=times((now // 10**6 + np.arange(rows)) * 10**6),
        received=times(np.full(rows, now)),
        trade_id=[str(first + n) for n in range(rows)],
        tick_rule=[1] * rows,
        **dict.fromkeys(("price", "size", "notional"), [Decimal(1)] * rows),
    )


def put(rows, name, column):
    place = rows.schema.get_field_index(name)
    field = rows.schema.field(place)
    return rows.set_column(place, field if column.type == field.type else name, column)


def nulls(rows, name):
    return put(rows, name, pa.nulls(len(rows), rows.schema.field(name).type))


def negative(rows):
    return put(rows, "price", pc.negate(rows["price"]).cast(rows.schema.field("price").type))


def moved(rows, by):
    return put(rows, "timestamp", times(nanoseconds(rows["timestamp"]) + by))


def scaled(rows):
    return put(rows, "price", rows["price"].cast(pa.decimal128(38, 12)))


def mixed(rows):
    names = pa.array([GOOD, *[BAD] * (len(rows) - 1)]).dictionary_encode()
    return put(rows, "symbol", names)


def ends(rows):
    raise SystemExit(0)


# How rows are spoilt, and whether it can be told of which stream they are.
SPOILT = {
    "another scale": (scaled, True, "the plugin states"),
    "no price": (lambda rows: nulls(rows, "price"), True, "has no price"),
    "no time": (lambda rows: nulls(rows, "timestamp"), True, "has no timestamp"),
    "a price below nothing": (negative, True, "price that is not above 0"),
    "31 years ahead": (lambda rows: moved(rows, YEARS), True, "or after now"),
    "in 1970": (lambda rows: moved(rows, -2 * YEARS), True, "before 2009"),
    "not asked for": (lambda rows: put(rows, "symbol", word("X", len(rows))), False, "rows of 'X'"),
    "no symbol": (lambda rows: nulls(rows, "symbol"), False, r"rows of \[None\]"),
    "two symbols": (mixed, False, "in one batch, not of one symbol"),
    "no column of symbols": (lambda rows: rows.drop_columns(["symbol"]), False, "symbol is not th"),
    "a table": (lambda rows: pa.Table.from_batches([rows]), False, "expected, not a Table"),
    "nothing": (lambda rows: None, False, "expected, not a NoneType"),
}


@pytest.mark.parametrize(("spoil", "told", "said"), SPOILT.values(), ids=SPOILT)
def test_wrong_rows_end_their_own_stream(spoil, told, said):
    kept = []
    feed = Feed(ws_url="ws://here")
    fitting, now = Fitting(7, feed, lambda *given: kept.append(given)), time.time_ns()

    def fitted():
        rows = [made(GOOD), spoil(made(BAD))]
        return [item for _, item in fitting.fitted(rows, (GOOD, BAD), now)]

    if not told:
        with pytest.raises(MisfitError, match=f"^ws://here: .*{said}"):
            fitted()
        return
    items = [item for _ in range(8) for item in fitted()]
    assert len([item for item in items if isinstance(item, Arrived)]) == 8
    (failed,) = [item for item in items if isinstance(item, Failed)]
    assert (failed.connection, failed.symbols) == (7, (BAD,))
    with pytest.raises(MisfitError, match=f"^ws://here: {BAD}: .*{said}"):
        raise failed.error
    missed = [item for item in items if isinstance(item, Told)]
    assert {(item.symbol, item.what) for item in missed} <= {(BAD, "missed")}
    aside = spoil is not scaled  # of other columns nothing can be true
    assert (len(missed), len(kept)) == ((5, 6) if aside else (0, 0))


def test_a_row_that_cannot_be_true_is_set_aside_and_the_others_go_on():
    kept = []
    fitting = Fitting(7, Feed(ws_url="ws://here"), lambda *given: kept.append(given))
    for _ in range(20):
        rows = made(GOOD)
        prices = pa.array([Decimal(1), Decimal(0), Decimal(1)], rows["price"].type)
        wrong, right = put(rows, "price", prices), rows
        items = [item for _, item in fitting.fitted([wrong, right], (GOOD,), time.time_ns())]
        told, first, second = items
        assert (told.what, told.symbol) == ("missed", GOOD)
        assert first.batch["trade_id"].to_pylist() == ["1", "3"]
        assert second.batch.equals(right)
    assert len(kept) == 20
    assert b'"trade_id": ["2"]' in kept[0][1]


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """Return what runs a pipeline whose feed is changed, until both symbols came or failed."""
    monkeypatch.chdir(tmp_path)

    def go():
        with LoopbackSocket(Words, heartbeat=0.2) as server:
            day = time.strftime("%Y-%m-%d", time.gmtime())
            (tmp_path / "p.toml").write_text(PIPELINE.format(url=server.url, day=day))
            graph, began, asked, sent = load(tmp_path / "p.toml"), time.monotonic(), [], [1]

            def over():
                for symbol in (GOOD, BAD):
                    server.push(made(symbol, sent[0]))
                sent[0] += 3
                now = time.monotonic()
                if len(server.said) >= 2:  # which on a busy machine may take long
                    asked.append(now)
                return now - (asked[0] if asked else began + 15) > 1.5

            return run(graph, until=Until(over, grace=0.1))

    return go


def spoilt(monkeypatch, spoil):
    rows = Conversation.rows

    def wrong(self):
        return [spoil(each) if str(each["symbol"][0]) == BAD else each for each in rows(self)]

    monkeypatch.setattr(Conversation, "rows", wrong)


@pytest.mark.parametrize("spoil", [scaled, negative, mixed, ends], ids=lambda each: each.__name__)
@pytest.mark.few(2)
def test_a_run_says_which_stream_has_ended_and_the_other_goes_on(ran, monkeypatch, spoil):
    spoilt(monkeypatch, spoil)
    report = ran()
    assert not report.ok
    assert {name for name, _ in report.errors} == {f"sim {BAD}"}
    rows = {stream.symbol: figures.rows for stream, figures in report.live.items()}
    assert rows[BAD] == 0
    assert rows[GOOD] > 9


@pytest.mark.parametrize("at", ["opened", "heard", "rows"])
def test_a_feed_that_ends_the_program_is_an_error_of_its_streams(ran, monkeypatch, at):
    monkeypatch.setattr(Conversation, at, ends if at != "heard" else lambda self, *_: ends(self))
    report = ran()
    assert not report.ok
    assert sorted(name for name, _ in report.errors) == [f"sim {GOOD}", f"sim {BAD}"]
    for _, error in report.errors:
        assert "SystemExit in test_live_checked.py" in str(error)


@pytest.mark.parametrize("spoil", [scaled, negative, mixed, ends], ids=lambda each: each.__name__)
def test_a_recording_is_looked_at_like_a_connection(monkeypatch, spoil):
    spoilt(monkeypatch, spoil)
    player = Player(Feed(ws_url="ws://here"), ROOM, (None, lambda *_: None))
    tape, now, words = Taped(0, 1, ()), time.time_ns(), Words(Venue())
    items = list(player.hear(tape, Line(now, opened=(GOOD, BAD))))
    for symbol in (GOOD, BAD):
        list(words.said(json.dumps({"op": "subscribe", "symbol": symbol})))
    for first in range(1, 40, 3):
        for symbol in (GOOD, BAD):
            for text in words.trades(made(symbol, first)):
                items += player.hear(tape, Line(now, text=text))
        items += player.flush()
    (failed,) = [item for item in items if isinstance(item, Failed)]
    assert BAD in failed.symbols
    assert "mend the plugin" in str(failed.error) or spoil is not scaled
    symbols = {str(item.batch["symbol"][0]) for item in items if isinstance(item, Arrived)}
    assert symbols == ({GOOD} if spoil in (scaled, negative) else set())


@pytest.mark.parametrize("at", ["opened", "heard", "rows"])
def test_a_feed_that_ends_the_program_in_a_replay_is_told(monkeypatch, at):
    monkeypatch.setattr(Conversation, at, lambda self, *_: ends(self))
    player = Player(Feed(ws_url="ws://here"), ROOM, (None, lambda *_: None))
    tape, now = Taped(0, 1, ()), time.time_ns()
    items = list(player.hear(tape, Line(now, opened=(GOOD, BAD))))
    items += player.hear(tape, Line(now, text="{}" if at != "rows" else '{"event":"pong"}'))
    items += [*player.flush(), *player.flush()]
    (failed,) = [item for item in items if isinstance(item, Failed)]
    assert failed.symbols == (GOOD, BAD)
    assert "SystemExit in test_live_checked.py" in str(failed.error)
