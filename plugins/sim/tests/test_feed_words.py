"""What the websocket door says and hears, and what the exchange answers to it."""

import json
from datetime import date, timedelta

import pytest

from werks.components import Acked, Missed, Refused, Restart, Send
from werks.errors import DataError, MessageError
from werks.testing import Venue
from werks_sim import Course, Exchange, Feed, Words
from werks_sim.market import START
from werks_sim.words import messages

EXCHANGE = Exchange(trades_per_day=300)
BEGIN, HOUR = 1_704_067_200_000_000_000, 3_600_000_000_000
DAY = 24 * HOUR


def _talk(*symbols):
    return Feed(ws_url="ws://sim").converse(None, symbols or ["BTCUSD"])


def _words(*subscribed, **given):
    words = Words(Venue(), **given)
    for symbol in subscribed:
        list(words.said(json.dumps({"op": "subscribe", "symbol": symbol})))
    return words


@pytest.fixture
def course():
    return Course(EXCHANGE, ["BTCUSD", "ETHUSD"], BEGIN)


def test_the_websocket_is_asked_for_each_symbol():
    said = [json.loads(text) for text in _talk("BTCUSD", "ETHUSD").opened()]
    assert said == [{"op": "subscribe", "symbol": s} for s in ("BTCUSD", "ETHUSD")]


def test_without_an_address_the_websocket_is_off():
    assert Feed().off.startswith("ws_url is left out")
    assert Feed(ws_url="ws://sim").off == ""


def test_facts_follow_the_options():
    feed = Feed(stale_after=3, lifetime=60, most_symbols=2)
    assert feed.ping == ('{"op":"ping"}', 1.0)
    assert feed.connection_lifetime == timedelta(minutes=1)


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ('{"event":"subscribed","symbol":"BTCUSD"}', Acked("BTCUSD")),
        ('{"event":"refused","symbol":"NIX","reason":"why"}', Refused("NIX", "why")),
        ('{"event":"refused","reason":"why"}', Refused("", "why")),
        ('{"event":"missed","symbol":"BTCUSD","reason":"slow"}', Missed("BTCUSD", "slow")),
        ('{"event":"maintenance","reason":"closed"}', Restart("closed")),
        ('{"event":"ping"}', Send('{"op":"pong"}')),
    ],
)
def test_a_message_tells_an_event(message, event):
    assert list(_talk().heard(message, received=0)) == [event]


@pytest.mark.parametrize(
    "message", ['{"event":"trades","symbol":"BTCUSD"}', '{"event":"gossip"}', "\ud800"]
)
def test_a_message_that_cannot_be_read_is_an_error(message):
    with pytest.raises(MessageError, match="ws://sim: "):
        _talk().heard(message, received=0)


def test_a_market_that_nobody_asked_for_is_an_error():
    message = next(messages(EXCHANGE, "ETHUSD", START))
    with pytest.raises(MessageError, match=r"ws://sim: nobody asked for this market: .*ETHUSD"):
        _talk().heard(message, received=0)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"side": "bid"}, "side cannot be 'bid'"), ({"time": 1}, "not a time"), ({"size": "x"}, "x")],
)
def test_a_trade_that_cannot_be_is_an_error_once(wrong, said):
    trade = {"id": 1, "time": 1_704_067_200_000_000, "price": "1", "size": "1", "side": "buy"}
    talk = _talk()
    for each in (trade, trade | wrong):
        text = json.dumps({"event": "trades", "symbol": "BTCUSD", "trades": [each]})
        assert not talk.heard(text, received=1)
    with pytest.raises((MessageError, DataError), match=f"ws://sim: .*{said}"):
        talk.rows()
    assert talk.rows() == []


def test_a_websocket_message_is_one_moment(course):
    words = _words("BTCUSD")
    rows = next(course.advance(BEGIN + DAY))
    said = [json.loads(text)["trades"] for text in words.trades(rows)]
    assert [len({trade["time"] for trade in moment}) for moment in said] == [1] * len(said)
    assert [t["id"] for moment in said for t in moment] == list(range(1, len(rows) + 1))
    assert list(words.trades(rows)) == list(messages(EXCHANGE, "BTCUSD", START))


def test_only_what_is_subscribed_to_is_told(course):
    words = _words("ETHUSD")
    told = {
        rows["symbol"][0].as_py(): list(words.trades(rows)) for rows in course.advance(BEGIN + DAY)
    }
    assert told["BTCUSD"] == []
    assert told["ETHUSD"] != []


def test_the_exchange_answers():
    words = _words()
    words.venue.refused["ETHUSD"] = "not today"
    answers = {
        '{"op":"ping"}': {"event": "pong"},
        '{"op":"subscribe","symbol":"BTCUSD"}': {"event": "subscribed", "symbol": "BTCUSD"},
        '{"op":"subscribe","symbol":"ETHUSD"}': {
            "event": "refused",
            "symbol": "ETHUSD",
            "reason": "not today",
        },
        '{"op":"subscribe","symbol":"NIX"}': {
            "event": "refused",
            "symbol": "NIX",
            "reason": "there is no market NIX",
        },
        '{"op":"dance"}': {"event": "refused", "reason": "'dance' cannot be done"},
        "[": {"event": "refused", "reason": "this cannot be read"},
    }
    for text, answer in answers.items():
        assert [json.loads(said) for said in words.said(text)] == [answer]
    assert list(words.said('{"op":"pong"}')) == []


def test_the_last_trades_come_with_the_ack(course):
    words = _words(snapshot=3)
    rows = next(course.advance(BEGIN + 12 * HOUR))
    words.venue.add(rows)
    _, snapshot = words.said('{"op":"subscribe","symbol":"BTCUSD"}')
    ids = [trade["id"] for trade in json.loads(snapshot)["trades"]]
    assert ids == [len(rows) - 2, len(rows) - 1, len(rows)]


def test_what_is_said_besides_trades_is_understood():
    talk, words = _talk(), _words()
    assert not talk.heard(words.heartbeat(), received=0)
    assert list(talk.heard(words.maintenance(), 0)) == [
        Restart("the exchange is closed for maintenance")
    ]


def test_the_course_goes_on_and_never_back(course):
    whole = course.trades("BTCUSD", BEGIN, BEGIN + 3 * DAY)
    told = []
    for hours in (1, 5, 5, 3, 30, 72):
        told += [rows for rows in course.advance(BEGIN + hours * HOUR) if _symbol(rows) == "BTCUSD"]
    assert [row for rows in told for row in rows.to_pylist()] == whole.to_pylist()


def _symbol(rows):
    return rows["symbol"][0].as_py()


def test_the_archive_publishes_days_that_are_over(course):
    assert list(course.published(START)) == []
    list(course.advance(BEGIN + 2 * DAY - 1))
    paths = [path for path, _ in course.published(START)]
    assert paths[0] == "trades/BTCUSD/BTCUSD-2024-01-01.csv.gz"
    assert len(paths) == 4
    assert list(course.published(START)) == []
    course.now += 1
    assert len(list(course.published(START))) == 4


def test_the_archive_may_lag(course):
    course.lag = timedelta(hours=3)
    course.now = BEGIN + DAY + 2 * HOUR
    assert list(course.published(START)) == []
    course.now += HOUR
    assert len(list(course.published(date(2024, 1, 1)))) == 4


@pytest.mark.parametrize(("path", "query"), [("trades", {}), ("candles", {"interval": "1h"})])
def test_rest_does_not_tell_of_what_is_to_come(course, path, query):
    course.now = BEGIN + 12 * HOUR
    start = {"symbol": "BTCUSD", "start": str(BEGIN // 1000), "limit": "1000"} | query
    page = json.loads(course.answers()[f"/{path}"](start)[1])["rows"]
    times = [row["time"] * 1000 for row in page]
    assert BEGIN + 10 * HOUR < times[-1] <= course.now - (HOUR if query else 0)


def test_rest_answers_as_it_does_else(course):
    status, body, _ = course.answers()["/trades"]({"symbol": "NIX", "start": "0"})
    assert (status, json.loads(body)["error"]) == (400, "no_such_market")
    assert len(json.loads(course.answers()["/instruments"]({})[1])["rows"]) == 3
