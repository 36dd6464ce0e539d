"""A live run over the simulated exchange: REST and websocket join, and nothing is lost."""

import json
import time
from datetime import UTC, datetime

import pytest

import werks.pipeline.lane
import werks_kraken.rest
from werks.components import RateLimit
from werks.pipeline import Until, load, run
from werks.testing import LoopbackSocket

from .course_kraken import PAST, SYMBOLS, Course
from .ws_kraken import Words

MINUTE = 60 * 10**9
BEGIN, UNTIL = (1_704_153_600_000_000_000 - minutes * MINUTE for minutes in (14, 10))
SPEED = 200
PIPELINE = """
[pipeline]
name = "course"
state = "{root}/werks.db"
commit_every = 0.1
reconnect_after = 0.05

[sources.trades]
type = "kraken.trades"
symbols = {symbols}
start = 2024-01-01
rest_url = "{rest}"
ws_url = "{ws}"

[sinks.rows]
type = "memory"
inputs = ["trades"]
"""


@pytest.fixture
def course(loopback, monkeypatch):
    # Its time goes by so much faster than ours that two seconds are long.
    monkeypatch.setattr(werks.pipeline.lane, "_SETTLE", 0.2)
    monkeypatch.setattr(werks_kraken.rest, "LIMIT", RateLimit(SPEED, 1))
    course = Course(BEGIN, UNTIL)
    for path, answer in course.answers().items():
        loopback.answer(path, answer)
    list(course.advance(BEGIN))
    return course


@pytest.fixture
def graph(loopback, server, tmp_path):
    path = tmp_path / "p.toml"
    given = {"root": tmp_path, "rest": loopback.url, "ws": server.url, "symbols": [*SYMBOLS]}
    path.write_text(PIPELINE.format(**given))
    return load(path)


@pytest.fixture
def server():
    with LoopbackSocket(Words, heartbeat=0.1) as running:
        yield running


def test_a_run_joins_the_past_and_what_is_heard_also_after_a_lost_connection(course, graph, server):
    whole = {symbol: course.trades(symbol, 0, UNTIL) for symbol in SYMBOLS}
    rows, late, begun = graph.sink("rows").rows, time.monotonic() + 30, []

    def is_over():
        there = [rows("trades", "kraken", symbol) for symbol in SYMBOLS]
        if not begun and all(map(len, there)):  # what was before is there
            server.play(course.advance, BEGIN, SPEED, UNTIL)
            begun.append("played")
        if len(begun) == 1 and server.now > (BEGIN + UNTIL) // 2:
            server.drop()
            begun.append("dropped")
        return time.monotonic() > late or [*map(len, there)] == [*map(len, whole.values())]

    now = datetime.fromtimestamp(BEGIN // 10**9, UTC)
    report = run(graph, now=now, until=Until(is_over, lambda: course.now, SPEED / 2))
    assert report.errors == []
    assert [figures.holes for figures in report.live.values()] == [0, 0]
    assert [figures.reconnects for figures in report.live.values()] == [1, 1]
    for symbol in SYMBOLS:
        assert plain(rows("trades", "kraken", symbol)) == plain(whole[symbol])


def plain(table):
    return table.drop_columns(["received"]).to_pylist()


def test_rest_tells_of_nothing_that_is_to_come(course):
    (page, *_) = course.answers().values()
    body = page({"pair": "XBTUSD", "since": "0"})
    past = course.trades("BTC/USD", BEGIN - PAST, BEGIN)["trade_id"].to_pylist()
    assert [str(row[6]) for row in json.loads(body)["result"]["XXBTZUSD"]] == past
