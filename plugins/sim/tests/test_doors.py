"""The same trades come by every door."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from werks.archive import ByteStream, fetched
from werks.errors import DataError, MessageError, MissingError, RejectedError
from werks.history import Pages, Span
from werks.schema import nanoseconds
from werks.transforms.bars import Bars
from werks_sim import Candles, Course, Exchange, Feed, History, OpenInterest, Trades, answers
from werks_sim.market import START
from werks_sim.words import messages

PER_DAY = 1500
BEGIN = 1_704_067_200_000_000_000
DAY = timedelta(days=1)
LONG = 86_400_000_000_000
EXCHANGE = Exchange(trades_per_day=PER_DAY)


@pytest.fixture(scope="module")
def archived():
    """Return two days of BTCUSD by the archive door."""
    door, batches = Trades(trades_per_day=PER_DAY), []
    for file in door.files(["BTCUSD"], START, START + 2 * DAY, http=None):
        with (
            fetched(file, None, content=door.content) as path,
            ByteStream(path, file.url) as stream,
        ):
            batches += door.read(file, stream, ["BTCUSD"])
    return pa.Table.from_batches(batches, door.schema)


def _joined(pages, schema=History.schema):
    return pa.Table.from_batches([batch for batch, _ in pages], schema)


def _read(door, start, stop, http=None):
    """Return the rows of a span as the core reads them."""
    rows = Pages(door, http, Span("BTCUSD", start, stop), "sim BTCUSD")
    return pa.Table.from_batches(rows, door.schema)


@pytest.mark.parametrize("page_size", [1000, 137])
def test_rest_gives_the_trades_of_the_archive(archived, page_size):
    history = History(trades_per_day=PER_DAY, page_size=page_size)
    assert _read(history, BEGIN, BEGIN + 2 * LONG).to_pylist() == archived.to_pylist()


def test_rest_over_http_gives_what_is_made_on_the_spot(loopback, http, archived):
    for path, answer in answers(EXCHANGE).items():
        loopback.answer(path, answer)
    history = History(rest_url=loopback.url, page_size=1000)
    assert _read(history, BEGIN, BEGIN + 2 * LONG, http).to_pylist() == archived.to_pylist()
    assert loopback.requests[0].query["limit"] == "1000"


@pytest.mark.parametrize("interval", ["1m", "5m", "1h"])
def test_bars_of_the_trades_equal_the_candles(archived, interval):
    step = Bars(by="time", every=interval).start({"trades": archived.schema}, None)
    bars = [bar for rows in archived.to_batches() for bar in step.push(rows, "trades")]
    bars += step.advance(BEGIN + 2 * LONG)
    ours = pa.Table.from_batches(bars).rename_columns({"ticks": "trades"})
    door = Candles(trades_per_day=PER_DAY, interval=interval, page_size=100)
    theirs = _read(door, BEGIN, BEGIN + 2 * LONG)
    names = ["timestamp", "open", "high", "low", "close", "volume", "notional", "trades"]
    assert ours.select(names).to_pylist() == theirs.select(names).to_pylist()


def test_open_interest_leads_from_day_to_day():
    rows = _read(OpenInterest(page_size=100), BEGIN, BEGIN + 3 * LONG)
    assert np.unique(np.diff(nanoseconds(rows["timestamp"].combine_chunks()))).tolist() == [300e9]
    values = np.array([float(value) for value in rows["open_interest"].to_pylist()])
    assert len(values) == 3 * 288
    assert 0 < np.abs(np.diff(values)).max() < 0.02 * values.min()


def test_open_interest_is_the_same_wherever_it_is_begun():
    whole = _read(OpenInterest(), BEGIN, BEGIN + 2 * LONG)
    late = BEGIN + LONG - 200 * 10**9  # behind the last value of the day
    assert _read(OpenInterest(), late, BEGIN + 2 * LONG) == whole.slice(288)


def test_trades_of_a_lost_day_come_by_no_door(archived):
    lost = {"trades_per_day": PER_DAY, "lost_days": (START,)}
    rows = _read(History(**lost), BEGIN, BEGIN + 2 * LONG)
    assert rows.to_pylist() == [
        row for row in archived.to_pylist() if row["timestamp"].date() != START
    ]
    files = Trades(**lost).files(["BTCUSD"], START, START + 2 * DAY, http=None)
    assert [file.start for file in files] == [START + DAY]


def test_what_the_archive_lacks_comes_by_rest(archived):
    faulty = Trades(trades_per_day=PER_DAY, faults=("missing_day",), faulty_days=(START,))
    assert len(list(faulty.files(["BTCUSD"], START, START + 2 * DAY, http=None))) == 1
    rows = _read(History(trades_per_day=PER_DAY), BEGIN, BEGIN + LONG)
    assert 0 < len(rows) < len(archived)


@pytest.mark.parametrize(
    "page",
    [
        b"<html>",
        b"[]",
        b'{"rows":[{"id":1}]}',
        b'{"rows":7}',
        b'{"rows":[{"id":1,"time":1,"side":"buy","price":1.5,"size":"1"}]}',
        b'{"rows":[{"id":1,"time":1704067200,"side":"buy","price":"1","size":"1"}]}',
        b'{"rows":[{"id":1,"time":1704067200000000,"side":"buy","price":"x","size":"1"}]}',
        b'{"rows":[{"id":1,"time":1704067200000000,"side":"bid","price":"1","size":"1"}]}',
    ],
)
def test_a_page_that_is_none_names_its_address(loopback, http, page):
    loopback.answer("/trades", lambda _: page)
    history = History(rest_url=loopback.url)
    with pytest.raises((MessageError, DataError), match=rf"{loopback.url}/trades\b.*: "):
        list(history.read(http, "BTCUSD", BEGIN, BEGIN + LONG))


@pytest.mark.parametrize("door", [History(), Candles(), OpenInterest()])
def test_rest_knows_no_other_markets(door):
    with pytest.raises(MissingError, match="no market NIX"):
        list(door.read(None, "NIX", BEGIN, BEGIN + LONG))


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, b'{"error":"bad_limit"}', "sim refuses: bad_limit"),
        (200, b'{"error":"closed","reason":"come back on Monday"}', "come back on Monday"),
    ],
)
def test_an_error_body_is_told_in_the_exchanges_words(loopback, http, status, body, said):
    loopback.answer("/trades", lambda _: (status, body, {}))
    with pytest.raises(RejectedError, match=said):
        list(History(rest_url=loopback.url).read(http, "BTCUSD", BEGIN, BEGIN + LONG))


def test_the_websocket_gives_the_trades_of_the_archive(archived):
    talk = Feed(ws_url="ws://sim").converse(None, ["BTCUSD"])
    for day in (START, START + DAY):
        for message in messages(EXCHANGE, "BTCUSD", day):
            assert not talk.heard(message, received=1_704_067_200_000_000_001)
    (rows,) = talk.rows()
    assert rows.schema.equals(archived.schema, check_metadata=True)
    assert nanoseconds(rows["received"])[0] == 1_704_067_200_000_000_001
    ours = pa.Table.from_batches([rows]).drop("received")
    assert ours.to_pylist() == archived.drop("received").to_pylist()


def test_what_should_come_out_is_what_the_archive_has(archived):
    course = Course(EXCHANGE, ["BTCUSD"], BEGIN)
    assert course.trades("BTCUSD", BEGIN, BEGIN + 2 * LONG).to_pylist() == archived.to_pylist()
