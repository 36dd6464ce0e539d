"""The same trades come by every door."""

import json
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from werks.archive import ByteStream, fetched
from werks.errors import MessageError, MissingError, RejectedError
from werks.schema import nanoseconds
from werks_sim import Exchange, Feed, History, Trades
from werks_sim.market import START

PER_DAY = 1500
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
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


def _joined(pages):
    return pa.Table.from_batches([batch for batch, _ in pages], History.schema)


def _conversation(*symbols):
    return Feed(ws_url="ws://sim").converse(None, symbols or ["BTCUSD"])


def test_rest_gives_the_trades_of_the_archive(archived):
    pages = list(History(trades_per_day=PER_DAY).read(None, "BTCUSD", BEGIN, BEGIN + 2 * DAY))
    assert len(pages) > 3
    assert _joined(pages).to_pylist() == archived.to_pylist()


def test_rest_gives_the_same_whatever_the_size_of_a_page(archived):
    history = History(trades_per_day=PER_DAY, page_size=137)
    pages = list(history.read(None, "BTCUSD", BEGIN, BEGIN + 2 * DAY))
    assert _joined(pages).to_pylist() == archived.to_pylist()


def test_rest_goes_on_after_any_cursor(archived):
    history = History(trades_per_day=PER_DAY, page_size=400)
    pages = list(history.read(None, "BTCUSD", BEGIN, BEGIN + 2 * DAY))
    for number, (_, cursor) in enumerate(pages):
        rest = list(history.read(None, "BTCUSD", cursor, BEGIN + 2 * DAY))
        assert _joined(rest) == _joined(pages[number + 1 :])


def test_rest_begins_and_ends_at_the_moment_asked_for(archived):
    times = nanoseconds(archived["timestamp"].combine_chunks())
    first, last = (
        datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(times[row]) // 1000)
        for row in (40, 90)
    )
    pages = History(trades_per_day=PER_DAY).read(None, "BTCUSD", first, last)
    kept = archived.filter(pa.array((times >= times[40]) & (times < times[90])))
    assert _joined(pages).to_pylist() == kept.to_pylist()


def test_rest_over_http_gives_what_is_made_on_the_spot(loopback, http, archived):
    loopback.answer("/trades", EXCHANGE.page)
    loopback.fail("/trades", 429, retry_after=0)
    history = History(rest_url=loopback.url, page_size=1000)
    pages = history.read(http, "BTCUSD", BEGIN, BEGIN + 2 * DAY)
    assert _joined(pages).to_pylist() == archived.to_pylist()
    assert loopback.requests[0].query["limit"] == "1000"


@pytest.mark.parametrize(
    "page",
    [
        b"<html>",
        b"[]",
        b'{"trades":[{"id":1}]}',
        b'{"trades":7}',
        b'{"trades":[{"id":1,"time":1,"side":"buy","price":"x","size":"1"}]}',
    ],
)
def test_a_page_that_is_none_names_its_address(loopback, http, page):
    loopback.answer("/trades", lambda _: page)
    history = History(rest_url=loopback.url)
    with pytest.raises(MessageError, match=rf"{loopback.url}/trades: "):
        list(history.read(http, "BTCUSD", BEGIN, BEGIN + DAY))


def test_rest_knows_no_other_markets():
    with pytest.raises(MissingError, match="no market NIX"):
        list(History().read(None, "NIX", BEGIN, BEGIN + DAY))


def test_the_websocket_gives_the_trades_of_the_archive(archived):
    talk = _conversation()
    heard = [
        trade
        for day in (START, START + DAY)
        for message in EXCHANGE.messages("BTCUSD", day)
        for trade in talk.heard(message, received=1_704_067_200_000_000_001)
    ]
    rows = talk.columns(heard)
    assert rows.schema.equals(archived.schema, check_metadata=True)
    assert nanoseconds(rows["received"])[0] == 1_704_067_200_000_000_001
    ours = pa.Table.from_batches([rows]).drop("received")
    assert ours.to_pylist() == archived.drop("received").to_pylist()


def test_a_websocket_message_is_one_moment():
    for message in EXCHANGE.messages("BTCUSD", START):
        assert len({trade["time"] for trade in json.loads(message)["trades"]}) == 1


def test_the_websocket_is_asked_for_each_symbol():
    said = [json.loads(text) for text in _conversation("BTCUSD", "ETHUSD").opened()]
    assert said == [{"op": "subscribe", "symbol": s} for s in ("BTCUSD", "ETHUSD")]


def test_acks_and_pongs_give_no_rows():
    talk = _conversation()
    for message in ('{"event":"subscribed","symbol":"BTCUSD"}', '{"event":"pong"}'):
        assert list(talk.heard(message, received=0)) == []


def test_a_refusal_says_what_and_why():
    message = '{"event":"refused","symbol":"NIX","reason":"no such market"}'
    with pytest.raises(RejectedError, match="ws://sim: NIX: no such market"):
        list(_conversation().heard(message, received=0))


@pytest.mark.parametrize(
    "message", ["", "[]", "{}", '{"event":"gossip"}', '{"event":"trades","symbol":"BTCUSD"}']
)
def test_a_message_that_cannot_be_read_is_an_error(message):
    with pytest.raises(MessageError, match="ws://sim: "):
        list(_conversation().heard(message, received=0))


def test_a_side_that_is_neither_is_an_error():
    trade = {"id": 1, "time": 1_704_067_200_000_000, "price": "1", "size": "1"}
    trades = [trade | {"side": side} for side in ("buy", "bid")]
    talk = _conversation()
    heard = talk.heard(json.dumps({"event": "trades", "symbol": "X", "trades": trades}), received=1)
    with pytest.raises(MessageError, match="ws://sim: side cannot be 'bid'"):
        talk.columns(list(heard))


def test_messages_of_several_markets_become_one_batch():
    talk = _conversation("BTCUSD", "ETHUSD")
    heard = [
        trade
        for symbol in ("BTCUSD", "ETHUSD")
        for trade in talk.heard(next(EXCHANGE.messages(symbol, START)), received=5)
    ]
    assert set(talk.columns(heard)["symbol"].to_pylist()) == {"BTCUSD", "ETHUSD"}
