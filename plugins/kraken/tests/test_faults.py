from collections.abc import Callable
from typing import Any

import pytest

from werks.errors import (
    DataError,
    MessageError,
    MissingError,
    RateLimitError,
    RejectedError,
    UnavailableError,
    WerksError,
)
from werks.history import Pages, Span
from werks.http import Http
from werks.testing import Loopback
from werks.testing.tape import plain
from werks_kraken import Candles, Instruments, Trades

PATH = "0/public/Trades"
HTML = b"<html><body>520: Web server is returning an unknown error</body></html>"
_COLUMNS = ["timestamp", "trade_id", "tick_rule", "price", "size"]


@pytest.fixture
def read(exchange: Any, http: Http) -> Callable[..., list[Any]]:
    """Return a function that reads the tape as the core does, from a time if one is given."""

    def _read(start: int = 0, client: Any = http) -> list[Any]:
        exchange.told = 0
        tape = exchange.tape()
        door: Any = Trades(rest_url=exchange.loopback.url)
        span = Span("BTC/USD", start or tape.start, tape.stop)
        return plain(Pages(door, client, span, "kraken BTC/USD"), _COLUMNS)

    return _read


def _ids(rows: list[Any]) -> list[int]:
    return [int(row[1]) for row in rows]


def _all(exchange: Any) -> list[int]:
    return [each.id for each in exchange.trades]


@pytest.mark.parametrize("page", [4, 5, 6, 7, 25, 1000])
def test_trades_of_one_nanosecond_are_all_there_wherever_a_page_ends(
    exchange: Any, read: Callable[..., list[Any]], page: int
) -> None:
    exchange.noisy(page, 90)
    rows = read()
    assert _ids(rows) == _all(exchange)
    assert [row[0] for row in rows] == [each.stamp for each in exchange.trades]
    assert len({each.time - each.stamp for each in exchange.trades}) > 10


def test_a_float_of_a_time_that_lies_behind_it_is_not_skipped(
    exchange: Any, read: Callable[..., list[Any]]
) -> None:
    exchange.noisy()
    late = [each for each in exchange.trades if each.stamp > each.time]
    assert late
    for each in late[::25]:
        # What is asked for begins after the exact time and with the one that is printed.
        assert _ids(read(each.stamp)) == [t.id for t in exchange.trades if t.stamp >= each.stamp]


def test_a_last_that_is_malformed_stops_nothing(
    exchange: Any, read: Callable[..., list[Any]]
) -> None:
    exchange.noisy()
    exchange.short_last = {2, 3, 8}
    assert _ids(read()) == _all(exchange)


@pytest.mark.parametrize("short", [set(), {1, 2}], ids=["last", "malformed last"])
def test_a_whole_page_of_one_nanosecond_is_gone_past(
    exchange: Any, read: Callable[..., list[Any]], short: set[int]
) -> None:
    exchange.page, exchange.short_last = 1000, short
    first, *rest = exchange.trades
    sweep = [type(first)(n, first.time, "s", "105433.0", "0.5") for n in range(1, 1001)]
    exchange.trades = [*sweep, *rest[2:8]]
    assert _ids(read()) == _all(exchange)


def test_a_span_that_begins_before_the_first_trade_begins_with_it(
    exchange: Any, read: Callable[..., list[Any]], loopback: Loopback
) -> None:
    assert _ids(read(1)) == _all(exchange)
    assert loopback.requests[0].query["since"] == "0"


@pytest.mark.parametrize("at", [1, 2, 4])
def test_a_page_that_comes_twice_is_asked_for_again(
    exchange: Any, read: Callable[..., list[Any]], loopback: Loopback, at: int
) -> None:
    exchange.noisy()
    body = exchange.answer_trades({"pair": "XBTUSD", "since": str(exchange.tape().start)})
    for _ in range(at):
        loopback.stall(PATH, 0.0)
    loopback.swap(PATH, body, times=2)
    assert _ids(read()) == _all(exchange)


def test_a_page_that_always_comes_again_is_an_error(
    exchange: Any, read: Callable[..., list[Any]], loopback: Loopback
) -> None:
    exchange.noisy()
    body = exchange.answer_trades({"pair": "XBTUSD", "since": str(exchange.tape().start)})
    loopback.stall(PATH, 0.0, times=2)
    loopback.swap(PATH, body, times=100)
    with pytest.raises(MessageError, match=r"since=.*: 3 answers hold trades from before"):
        read()


def test_rows_of_a_page_may_be_out_of_order(
    exchange: Any, read: Callable[..., list[Any]], loopback: Loopback
) -> None:
    exchange.noisy(1000)
    wanted = _all(exchange)
    exchange.trades[5], exchange.trades[50] = exchange.trades[50], exchange.trades[5]
    assert _ids(read()) == wanted


@pytest.mark.parametrize(("at", "of"), [(3, 20), (3, 200)], ids=["earlier", "later"])
def test_a_page_out_of_order_is_asked_for_again(
    exchange: Any, read: Callable[..., list[Any]], loopback: Loopback, at: int, of: int
) -> None:
    exchange.noisy()
    since = str(exchange.trades[of].time - 1)
    body = exchange.answer_trades({"pair": "XBTUSD", "since": since})
    for _ in range(at):
        loopback.stall(PATH, 0.0)
    loopback.swap(PATH, body)
    assert _ids(read()) == _all(exchange)


def test_an_empty_page_in_between_is_asked_for_again(
    exchange: Any, read: Callable[..., list[Any]], loopback: Loopback
) -> None:
    for _ in range(2):
        loopback.stall(PATH, 0.0)
    loopback.swap(PATH, b'{"error":[],"result":{"XXBTZUSD":[],"last":"1762794000982277000"}}')
    assert _ids(read()) == _all(exchange)


def test_a_trade_that_is_gone_when_it_is_asked_for_again_stops_nothing(
    exchange: Any, http: Http, loopback: Loopback
) -> None:
    exchange.noisy()
    door = Trades(rest_url=loopback.url)
    pages = door.read(http, "BTC/USD", 0, 2**62)
    first, cursor = next(pages)
    exchange.trades = [each for each in exchange.trades if each.time != exchange.trades[24].time]
    rest, _ = next(door.read(http, "BTC/USD", cursor, 2**62))
    assert int(rest["trade_id"][0].as_py()) - int(first["trade_id"][-1].as_py()) in (2, 3)


def test_a_hole_in_the_ids_stays_one(exchange: Any, read: Callable[..., list[Any]]) -> None:
    exchange.noisy()
    del exchange.trades[30:33]
    ids = _ids(read())
    assert ids == _all(exchange)
    assert ids[30] - ids[29] == 4
    assert Trades().continuity == "contiguous"


def test_rows_without_an_id_are_refused(exchange: Any, read: Callable[..., list[Any]]) -> None:
    exchange.six = True
    with pytest.raises(DataError, match=r"pair=XBTUSD.*: row 1: the trade has no id"):
        read()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"s"', b'"x"', "row 2: the taker's side cannot be 'x'"),
        (b'"105433.00000"', b'"many"', "row 1: price cannot be 'many'"),
        (b'"105433.00000"', b'"105433.00000000001"', "row 1: price .* more than 10 digits"),
        (b"1762794000.982277", b"1762794.000982277", "row 1: timestamp"),
        (b"1762794000.982277", b"1762794000.9822771234", "time .* more than 9 digits"),
    ],
)
def test_a_bad_row_is_named(
    exchange: Any,
    read: Callable[..., list[Any]],
    loopback: Loopback,
    old: bytes,
    new: bytes,
    message: str,
) -> None:
    body = exchange.answer_trades({"pair": "XBTUSD", "since": "0"})
    assert old in body
    loopback.swap(PATH, body.replace(old, new))
    with pytest.raises(DataError, match=rf"{loopback.url}/0/public/Trades\?pair=XBTUSD.*{message}"):
        read()


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":[]}',
        b'{"error":[],"result":{}}',
        b'{"error":[],"result":{"last":"1762795433971744500"}}',
        b'{"error":[],"result":{"A":[],"B":[],"last":"1"}}',
        b'{"error":[],"result":{"A":"B"}}',
        b'{"error":[],"result":{"A":[["1","1",true,"b","l","",1]],"last":"1"}}',
    ],
)
def test_an_answer_of_another_shape_cannot_be_read(
    read: Callable[..., list[Any]], loopback: Loopback, body: bytes
) -> None:
    loopback.swap(PATH, body)
    with pytest.raises(MessageError, match=f"{loopback.url}/0/public/Trades.*cannot be read"):
        read()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("EQuery:Unknown asset pair", MissingError),
        ("EGeneral:Too many requests", RateLimitError),
        ("EAPI:Rate limit exceeded", RateLimitError),
        ("EService: Throttled: 1762795433", RateLimitError),
        ("EGeneral:Temporary lockout", RateLimitError),
        ("EService:Unavailable", UnavailableError),
        ("EService:Busy", UnavailableError),
        ("EService:Market in cancel_only mode", UnavailableError),
        ("EGeneral:Internal error", UnavailableError),
        ("EGeneral:Invalid arguments", RejectedError),
        ("EGeneral:Permission denied", RejectedError),
    ],
)
@pytest.mark.parametrize("door", [Trades, Candles, Instruments])
def test_errors_come_with_status_200(
    loopback: Loopback,
    http: Http,
    refusing: Callable[..., bytes],
    door: Any,
    words: str,
    error: type[WerksError],
) -> None:
    for name in ("Trades", "OHLC", "AssetPairs"):
        loopback.answer(f"0/public/{name}", lambda _: refusing(words))
    component = door(rest_url=loopback.url)
    with pytest.raises(error, match=f"{loopback.url}.*Kraken says E") as caught:
        component.read(http) if door is Instruments else list(component.read(http, "BTC/USD", 0, 1))
    assert type(caught.value) is error


def test_it_waits_as_long_as_the_words_ask_for(
    exchange: Any, read: Callable[..., list[Any]], loopback: Loopback, refusing: Any
) -> None:
    slept: list[float] = []
    with Http(tries=3, sleep=slept.append) as client:
        loopback.swap(PATH, refusing("EAPI:Rate limit exceeded"))
        assert _ids(read(client=client)) == _all(exchange)
        assert 14 < max(slept) <= 15
        loopback.swap(PATH, refusing("EGeneral:Temporary lockout"))
        assert _ids(read(client=client)) == _all(exchange)
        assert 899 < max(slept) <= 900


def test_a_warning_is_no_error(
    exchange: Any, read: Callable[..., list[Any]], loopback: Loopback
) -> None:
    body = exchange.answer_trades({"pair": "XBTUSD", "since": "0"})
    loopback.swap(PATH, body.replace(b'"error":[]', b'"error":["WGeneral:Danger"]'))
    assert _ids(read()) == _all(exchange)


@pytest.mark.parametrize("status", [502, 520])
def test_a_page_of_html_from_the_edge_is_asked_for_again(
    exchange: Any, read: Callable[..., list[Any]], loopback: Loopback, status: int
) -> None:
    loopback.fail(PATH, status)
    assert _ids(read()) == _all(exchange)


def test_html_in_place_of_json_cannot_be_read(
    exchange: Any, read: Callable[..., list[Any]], loopback: Loopback
) -> None:
    loopback.swap(PATH, HTML)
    with pytest.raises(MessageError, match="cannot be read"):
        read()


@pytest.mark.parametrize("symbol", ["XBTUSD", "BTC", "BTC/", "/USD", "BTC/USD/X", "XBT/USD"])
def test_a_symbol_is_spelt_as_the_websocket_spells_it(
    loopback: Loopback, http: Http, symbol: str
) -> None:
    door = Trades(rest_url=loopback.url)
    with pytest.raises(MissingError, match=f"kraken: there is no symbol '{symbol}'"):
        list(door.read(http, symbol, 0, 1))
    assert loopback.requests == []


def test_a_pair_that_is_not_listed_is_missing(exchange: Any, http: Http) -> None:
    door = Trades(rest_url=exchange.loopback.url)
    with pytest.raises(MissingError, match=r"pair=REPETH.*not listed any more"):
        list(door.read(http, "REP/ETH", 0, 1))
