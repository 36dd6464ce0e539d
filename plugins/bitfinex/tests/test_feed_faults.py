"""What the websocket doors make of refusals, holes, maintenance and what no exchange should say."""

import json

import pyarrow as pa
import pytest

from werks.components import Acked, Missed, Refused, Restart
from werks.errors import MessageError, RateLimitError, RejectedError
from werks.history import Pages, Span
from werks.testing import Venue
from werks_bitfinex import LiquidationsFeed, OpenInterestFeed, QuotesFeed, Trades, TradesFeed

from .exchange import MINUTE, SECOND, START, Exchange, tape
from .test_feed import liquidations, trades
from .ws_bitfinex import Words

SYMBOLS = ("tBTCUSD", "tAAVE:USD")
NAMED = '{"event":"subscribed","channel":"trades","chanId":89,"symbol":"tBTCUSD","pair":"BTCUSD"}'


def trade(number=7, word="te", channel=89, seq=None, row=""):
    row = row or f"[{number},1564617600709,-0.5,10087.98969503]"
    return f'[{channel},"{word}",{row}{"" if seq is None else f",{seq},1564617600784"}]'


def event(name, **said):
    return json.dumps({"event": name} | said)


def ids(talk):
    return [each for rows in talk.rows() for each in rows["trade_id"].to_pylist()]


@pytest.fixture
def talk():
    return TradesFeed().converse(None, SYMBOLS)


@pytest.fixture
def named(talk):
    """Return a conversation one of whose channels has the number 89."""
    talk.heard(NAMED, START)
    return talk


def test_messages_are_numbered_and_symbols_subscribed_to_one_by_one(talk):
    said = [json.loads(text) for text in talk.opened()]
    assert said[0] == {"event": "conf", "flags": 98304}
    assert [(each["channel"], each["symbol"]) for each in said[1:]] == [
        ("trades", "tBTCUSD"),
        ("trades", "tAAVE:USD"),
    ]


def test_a_refused_symbol_does_not_stop_the_other(talk):
    words = Words(Venue({"tAAVE:USD": "gone"}))
    told = [e for text in talk.opened() for said in words.said(text) for e in talk.heard(said, 1)]
    why = "Bitfinex says 'symbol: invalid' (code 10300)"
    assert told == [Acked("tBTCUSD"), Refused("tAAVE:USD", why)]
    again = [e for text in talk.opened() for said in words.said(text) for e in talk.heard(said, 1)]
    assert again == [Refused("tAAVE:USD", why)]  # `subscribe: dup` is nothing new


@pytest.mark.parametrize("feed", [TradesFeed(), LiquidationsFeed()])
def test_funding_and_what_has_no_t_are_refused_before_they_are_asked_for(feed):
    talk = feed.converse(None, ["fUSD", "tBTCUSD", "BTCUSD"])
    assert not any("fUSD" in text or '"BTCUSD"' in text for text in talk.opened())
    why = "a symbol that begins with t, such as tBTCUSD, is expected"
    said = Words(Venue()).opened("/ws/2")
    assert talk.heard(said, 1) == [Refused("fUSD", why), Refused("BTCUSD", why)]
    assert not talk.heard(said, 1)


@pytest.mark.parametrize("code", [10302, "10305"])
def test_other_refusals(talk, code):
    (refused,) = talk.heard(event("error", msg="subscribe: limit", code=code, symbol="tBTCUSD"), 1)
    assert (refused.symbol, str(code) in refused.why) == ("tBTCUSD", True)
    (refused,) = talk.heard(event("error", msg="channel: unknown", code=code), 1)
    assert refused.symbol == ""


def test_errors_of_the_connection(talk):
    assert talk.heard(event("error", msg="event: invalid", code=10000), 1) == [
        Restart("Bitfinex says 'event: invalid' (code 10000)")
    ]
    with pytest.raises(RateLimitError, match=r"wss://\S+: .*'ratelimit: error'") as caught:
        talk.heard(event("error", msg="ratelimit: error", code=11010), 1)
    assert caught.value.wait == 60
    with pytest.raises(RejectedError, match="refuses to number its messages"):
        talk.heard(event("conf", status="FAILED", flags=98304), 1)
    assert not talk.heard(event("conf", status="OK", flags=98304), 1)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"code": 20051, "msg": "Stopping"}, "the server restarts (code 20051)"),
        ({"code": "20060", "msg": "Entering"}, "maintenance begins (code 20060)"),
        ({"code": 20061}, "maintenance is over: what was subscribed to is stale (code 20061)"),
    ],
)
@pytest.mark.parametrize("feed", [TradesFeed(), QuotesFeed()])
def test_maintenance_and_restarts_end_the_connection(feed, said, why):
    talk = feed.converse(None, SYMBOLS)
    assert talk.heard(event("info", **said), 1) == [Restart(f"Bitfinex says that {why}")]
    closed = event("info", version=2, platform={"status": 0})
    assert talk.heard(closed, 1) == [Restart("Bitfinex is in maintenance")]


@pytest.mark.parametrize(
    "words", [("te", "tu"), ("tu", "te"), ("te",), ("tu",), ("te", "te", "tu", "tu")]
)
def test_a_trade_is_taken_once_whichever_way_it_is_told(named, words):
    for word in words:
        named.heard(trade(7, word), START)
    assert ids(named) == ["7"]
    named.heard(trade(7, "tu"), START)
    assert ids(named) == []


def test_the_other_half_of_a_trade_may_come_after_a_heartbeat(named):
    named.heard(trade(7), START)
    named.heard('[89,"hb"]', START)
    named.heard(trade(7, "tu"), START)
    assert ids(named) == ["7"]


def test_ids_are_forgotten_after_two_heartbeats(named):
    """So that memory has a bound; a trade of 15 seconds ago does not come again."""
    for number in range(1000):
        named.heard(trade(number), START)
    for _ in range(2):
        named.heard('[89,"hb"]', START)
    channel = named._symbols["tBTCUSD"]
    assert (channel.ids, channel.older) == (set(), set())


def test_a_trade_of_the_snapshot_that_is_told_again_is_known(named):
    named.heard("[89,[[9,1564617600709,1,2],[8,1564617600709,1,2],[7,1564617600000,1,2]]]", START)
    named.heard(trade(9, "tu"), START)
    assert ids(named) == ["7", "8", "9"]


def test_what_comes_before_its_channel_has_a_name_is_not_lost(talk):
    """Its number counts at once."""
    assert not talk.heard(trade(7, channel=89, seq=1), START)
    assert not talk.heard('[90,"hb",2,1564617600784]', START)
    assert talk.rows() == []
    assert talk.heard(NAMED, START + 5) == [Acked("tBTCUSD")]
    assert not talk.heard(trade(8, seq=3), START)
    (rows,) = talk.rows()
    assert rows["trade_id"].to_pylist() == ["7", "8"]
    assert rows["received"].cast(pa.int64()).to_pylist() == [START, START]


def test_not_everything_waits_for_a_name(talk):
    for number in range(1000):
        talk.heard(trade(number, channel=5), START)
    with pytest.raises(MessageError, match="its channel is not known"):
        talk.heard(trade(1, channel=5), START)


def test_the_trade_that_shows_a_hole_stands_behind_it(talk):
    talk.heard(NAMED.replace("89", "90"), START)
    talk.heard(NAMED.replace("tBTCUSD", "tAAVE:USD"), START)
    talk.heard(trade(7, seq=1), START)
    told = talk.heard(trade(10, seq=4), START)
    assert [each.symbol for each in told] == ["tAAVE:USD", "tBTCUSD"]
    assert ids(talk) == ["7"]  # what is told of before the hole
    assert ids(talk) == ["10"]
    talk.heard(trade(11, seq=6), START)
    talk.heard(trade(12, seq=7), START)
    assert ids(talk) == ["11", "12"]


def test_a_number_that_is_left_out_is_a_hole_of_all_symbols(named):
    named.heard(trade(7, seq=1), START)
    told = named.heard(trade(8, seq=4), START)
    why = "2 messages before number 4 of the connection are missing"
    assert told == [Missed("tBTCUSD", why), Missed("tAAVE:USD", why)]
    assert not named.heard('[89,"hb",5,1564617600784]', START)
    assert not named.heard(trade(9, seq=5), START)  # once more
    assert not named.heard(trade(10, seq=3), START)  # late
    assert not named.heard(trade(11, seq=6), START)
    assert ids(named) == ["7", "8", "9", "10", "11"]


def test_a_message_that_cannot_be_read_is_a_hole_as_well(named):
    named.heard(trade(7, seq=1), START)
    with pytest.raises(MessageError):
        named.heard(trade(seq=2, row="[8,null,1,1]"), START)
    assert [type(each) for each in named.heard(trade(9, seq=3), START)] == [Missed, Missed]


@pytest.mark.parametrize(
    "message",
    [
        '[89,"te",7]',
        '[89,"te"]',
        '[89,"news",[1,2,3,4]]',
        '[89,"cs",-1175357890,20]',
        '[89,{"a":1}]',
        "[89,[1,2,3,4]]",
        '["89","hb"]',
        '[89,"te",["7",1564617600709,1,2]]',
        '[89,"te",[7,1564617600709.5,1,2]]',
        '{"event":"dance"}',
        '{"event":"info","code":20099}',
        '{"event":"subscribed","chanId":"x"}',
        b"\xff\xfe",
        "[" * 100_000,
        "\ud800",
    ],
)
def test_what_cannot_be_read_is_an_error(named, message):
    with pytest.raises(MessageError, match=r"^wss://api-pub\.bitfinex\.com/ws/2: cannot be read: "):
        named.heard(message, START)
    assert named.rows() == []


@pytest.mark.parametrize(
    "row",
    [
        *('[8,1564617600709,"1",2]', "[8,1564617600709,1,null]", "[8,1,1,2]"),
        *("[8,1564617600709,1,[2]]", "[8,1564617600709,0.123456789,2]"),
    ],
)
def test_a_trade_that_cannot_be_is_named_and_left_out(named, row):
    """Told anew in a form that can be read, it is taken."""
    for each in (trade(7), trade(row=row), trade(9)):
        named.heard(each, START)
    with pytest.raises(MessageError, match=r"^wss://\S+ tBTCUSD: row 1: "):
        named.rows()
    assert ids(named) == ["7", "9"]
    named.heard(trade(8, "tu"), START)
    assert ids(named) == ["8"]


def test_numbers_are_taken_as_they_are_written(named):
    named.heard(trade(row="[8,1564617600709,-7.5e-7,9342.938663676,1,2,3]"), START)
    (rows,) = named.rows()
    (row,) = rows.drop_columns(["timestamp", "received"]).to_pylist()
    assert (row["tick_rule"], f"{row['size']:f}") == (-1, "0.00000075")
    assert f"{row['price'].normalize():f}" == "9342.938663676"


def test_what_was_heard_equals_what_rest_gives(talk, loopback, http):
    """But for `received`; those of one millisecond are told in the order of their ids."""
    words, whole = Words(Venue()), trades("tBTCUSD", 240)
    answers = [said for text in talk.opened() for said in words.said(text)]
    for text in [*answers, *words.trades(whole)]:
        talk.heard(text, START)
    (heard,) = talk.rows()
    Exchange(tape()).serve(loopback)
    door = Trades(rest_url=f"{loopback.url}/v2")
    span = Span("tBTCUSD", START, START + 60 * MINUTE)
    read = [row for each in Pages(door, http, span, "bitfinex") for row in each.to_pylist()]
    assert [row | {"received": None} for row in heard.to_pylist()] == read


def test_a_liquidation_is_told_once_and_of_the_symbols_asked_for():
    """`is_match` is 1 where it meets the market; a time may have a fraction, a price be null."""
    talk = LiquidationsFeed().converse(None, ["tBTCF0:USTF0"])
    talk.heard('{"event":"subscribed","channel":"status","chanId":5,"key":"liq:global"}', 1)
    row = '["pos",1,{},null,"{}",{},9,null,{},1,null,{}]'
    time = "1718020740000.25"
    said = [
        row.format(time, "tBTCF0:USTF0", "0.5", 0, "null"),
        row.format(time, "tBTCF0:USTF0", "-0.25", 0, "67000.5"),
        row.format(time, "tBTCF0:USTF0", "0.5", 1, "1"),
        row.format(time, "tETHF0:USTF0", "0.5", 0, "1"),
    ]
    talk.heard(f"[5,[{','.join(said)}]]", START)
    (rows,) = talk.rows()
    assert rows["tick_rule"].to_pylist() == [-1, 1]  # a long position is sold
    assert [None if v is None else float(v) for v in rows["price"].to_pylist()] == [None, 67000.5]
    assert [str(v and v.normalize()) for v in rows["notional"].to_pylist()] == ["None", "16750.125"]
    assert rows["timestamp"].cast(pa.int64()).to_pylist() == [START + 250_000] * 2
    assert len(liquidations("tBTCUSD")) == 30


def test_a_status_without_open_interest_gives_no_row():
    """As those of 2019; also none of another symbol's status comes here."""
    talk = OpenInterestFeed().converse(None, ["tBTCF0:USTF0"])
    talk.heard('{"event":"subscribed","channel":"status","chanId":5,"key":"deriv:tBTCF0:USTF0"}', 1)
    time = START // 10**6
    talk.heard(f"[5,[{time},null,1,1,null,1,null,{time + 1},1,1,null,0.0001]]", START + SECOND)
    assert talk.rows() == []
