"""One made-up exchange at all its doors in one course of time, and a storm over it."""

import time
from contextlib import closing
from functools import partial

import pyarrow as pa
import pytest
from websocket import WebSocketException, create_connection

from werks.components import Acked
from werks.errors import MessageError
from werks.history import Pages, Span
from werks.testing import LoopbackSocket, Storm
from werks.testing.storm import STRIKES
from werks_sim import Course, Exchange, Feed, History, Words

EXCHANGE = Exchange(trades_per_day=3000)
BEGIN, HOUR = 1_704_067_200_000_000_000, 3_600_000_000_000
SYMBOLS = ("BTCUSD", "ETHUSD")


@pytest.fixture
def course():
    return Course(EXCHANGE, SYMBOLS, BEGIN)


@pytest.fixture
def server():
    with LoopbackSocket(partial(Words, snapshot=5), heartbeat=0.02) as running:
        yield running


def _plain(rows):
    return rows.drop_columns(["received"]).to_pylist()


def test_what_is_played_comes_whole_by_a_real_connection(server, course):
    feed = Feed(trades_per_day=3000, ws_url=server.url)
    talk, batches, acked = feed.converse(None, SYMBOLS), [], set()
    whole = {symbol: course.trades(symbol, BEGIN, BEGIN + 6 * HOUR) for symbol in SYMBOLS}
    with closing(create_connection(feed.url, timeout=5)) as client:
        for text in talk.opened():
            client.send(text)
        while sum(map(len, batches)) < sum(map(len, whole.values())):
            for event in talk.heard(client.recv(), time.time_ns()):
                acked.add(event)
            if len(acked) == 2 and not server.now:
                server.play(course.advance, BEGIN, speed=72_000, until=BEGIN + 6 * HOUR)
            batches += talk.rows()
    assert acked == {Acked(symbol) for symbol in SYMBOLS}
    for symbol in SYMBOLS:
        ours = [rows for rows in batches if rows["symbol"][0].as_py() == symbol]
        assert _plain(pa.Table.from_batches(ours)) == _plain(whole[symbol])


def test_rest_has_by_now_what_was_told(loopback, http, server, course):
    for path, answer in course.answers().items():
        loopback.answer(path, answer)
    server.play(course.advance, BEGIN, speed=36_000, until=BEGIN + 2 * HOUR)
    server.wait(lambda: server.now == BEGIN + 2 * HOUR)
    door = History(trades_per_day=3000, rest_url=loopback.url)
    pages = Pages(door, http, Span("BTCUSD", BEGIN, BEGIN + 48 * HOUR), "sim BTCUSD")
    rows = pa.Table.from_batches(pages, door.schema)
    assert _plain(rows) == _plain(course.trades("BTCUSD", BEGIN, BEGIN + 2 * HOUR))
    assert len(server.venue.past("BTCUSD", 10**6)) == len(rows)


def test_a_storm_is_the_same_for_the_same_seed(server, loopback):
    one, other, third = (Storm(seed, server, loopback, ["trades"]) for seed in (1, 1, 2))
    for storm in (one, other, third):
        for _ in range(60):
            storm.strike()
    assert one.told == other.told != third.told
    assert {name.split()[0] for name in one.told} > {"rest", "drop"}


def _listen(server, course):
    """Hear for a short while, as a client that gives up a connection at the first trouble."""
    talk = Feed(ws_url=server.url).converse(None, SYMBOLS)
    batches = []
    try:
        client = create_connection(server.url, timeout=0.1)
    except (OSError, WebSocketException):
        return []
    with closing(client.sock):
        try:
            for text in talk.opened():
                client.send(text)
            for _ in range(40):
                talk.heard(client.recv(), time.time_ns())
                batches += talk.rows()
        except (OSError, WebSocketException, MessageError):
            return batches
    return batches


@pytest.mark.long
def test_the_server_outlives_a_storm_of_every_kind(server, course):
    storm = Storm(3, server)
    server.play(course.advance, BEGIN, speed=3600)
    heard = []
    for name in STRIKES:
        storm.names = (name,)
        storm.strike()
        heard += _listen(server, course)
    server.settle()
    assert storm.told == list(STRIKES)
    rows = [rows for rows in heard if rows["symbol"][0].as_py() == "BTCUSD"]
    told = {row["trade_id"]: row for row in _plain(pa.Table.from_batches(rows))}
    true = course.trades("BTCUSD", BEGIN, server.now)
    ours = sorted(told.values(), key=lambda row: int(row["trade_id"]))
    assert ours == [row for row in _plain(true) if row["trade_id"] in told]
