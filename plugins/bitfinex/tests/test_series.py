"""Candles, open interest, funding and the list of pairs: what is odd in their rows."""

from decimal import Decimal

import pytest

from werks.errors import DataError, MessageError
from werks.schema import nanoseconds
from werks_bitfinex import Candles, Funding, Instruments, OpenInterest

from .exchange import (
    CANDLES,
    MINUTE,
    PERPETUAL,
    SECOND,
    START,
    STATUS,
    SYMBOL,
    Exchange,
    candles,
    status,
    tape,
)

_STOP = START + 60 * MINUTE
_HOUR = 3600 * SECOND
_TURN = 19_900 * 24 * _HOUR


@pytest.mark.parametrize(("length", "seconds"), [("1m", 60), ("1h", 3600), ("1d", 86400)])
def test_candles_of_every_length(loopback, http, length, seconds):
    Exchange(tape()).serve(loopback)
    door = Candles(interval=length, page_size=5, rest_url=f"{loopback.url}/v2")
    begin = START - START % (86_400 * SECOND)
    pages = list(door.read(http, SYMBOL, begin, begin + 86_400 * SECOND))
    rows = [tuple(row.values())[4:9] for page, _ in pages for row in page.to_pylist()]
    assert rows == [row[1:] for row in candles(tape(), seconds * SECOND)]


def test_noise_of_a_volume_is_rounded_and_of_a_price_refused(loopback, http):
    row = b"[[1718020740000,118320,118280,118320,118280%s,0.015486090000000001]]"
    loopback.put(CANDLES, row % b"")
    door = Candles(rest_url=f"{loopback.url}/v2")
    page, _ = next(door.read(http, SYMBOL, START, _STOP))
    assert page["volume"].to_pylist() == [Decimal("0.01548609")]
    loopback.put(CANDLES, row % b".00000000000000001")
    with pytest.raises(DataError, match=r"low 118280\.00000000000000001 has more than 16 digits"):
        next(door.read(http, SYMBOL, START, _STOP))


def test_a_candle_before_those_asked_for_is_refused(loopback, http):
    Exchange(tape()).serve(loopback)
    loopback.swap(CANDLES, b"[[1718020680000,1,1,1,1,1],[1718020740000,1,1,1,1,1]]")
    door = Candles(rest_url=f"{loopback.url}/v2")
    with pytest.raises(DataError, match="2024-06-10 11:58:00"):
        list(door.read(http, SYMBOL, START, _STOP))


def statuses(loopback, rows, door=Funding):
    Exchange(statuses=rows).serve(loopback)
    return door(rest_url=f"{loopback.url}/v2")


def test_funding_stands_at_its_turn(loopback, http):
    """By the first status that tells of it, be it a little early or late; eight hours each."""
    told = [
        status(_TURN + 5 * SECOND, None, Decimal("0.0001")),
        status(_TURN + _HOUR, None, Decimal("0.0002")),
        # The turn has come, and the status does not yet tell what comes behind it.
        status(_TURN + 8 * _HOUR + SECOND, None, Decimal("0.0001"), _TURN),
        status(_TURN + 8 * _HOUR + 9 * SECOND, None, None),
        status(_TURN + 9 * _HOUR, None, Decimal("-0.00028313972602739723")),
        status(_TURN + 16 * _HOUR - SECOND, None, Decimal("0.0005"), _TURN + 16 * _HOUR),
        status(_TURN + 16 * _HOUR + SECOND, None, Decimal("0.0006")),
    ]
    door = statuses(loopback, told)
    ((page, cursor),) = door.read(http, PERPETUAL, _TURN, _TURN + 24 * _HOUR)
    assert nanoseconds(page["timestamp"]).tolist() == [_TURN + n * 8 * _HOUR for n in range(3)]
    assert page["rate"].to_pylist() == [
        Decimal("0.0001"),
        Decimal("-0.000283139726027397"),
        Decimal("0.0005"),
    ]
    assert page["interval"].to_pylist() == [28_800] * 3
    assert list(door.read(http, PERPETUAL, cursor, _TURN + 24 * _HOUR)) == []


def test_a_turn_that_is_too_far_away_is_an_error(loopback, http):
    door = statuses(loopback, [status(_TURN, None, Decimal(1), _TURN + _HOUR)])
    with pytest.raises(DataError, match="more than eight hours away"):
        list(door.read(http, PERPETUAL, _TURN, _TURN + 24 * _HOUR))


def test_a_history_of_status_with_keys_is_refused(loopback, http):
    """Only the status as it is now has its key in front: all places are shifted by it."""
    row = b'["%s",1718020740000,null,67000]' % PERPETUAL.encode()
    loopback.put(STATUS, b"[%s]" % row)
    for door in (OpenInterest, Funding):
        pages = door(rest_url=f"{loopback.url}/v2").read(http, PERPETUAL, START, _STOP)
        with pytest.raises(MessageError, match="Expected `int`, got `str`"):
            next(pages)


def test_open_interest_with_noise_is_rounded(loopback, http):
    told = [status(START, Decimal("1265.4560999999999"), None)]
    ((page, _),) = statuses(loopback, told, OpenInterest).read(http, PERPETUAL, START, _STOP)
    assert page["open_interest"].to_pylist() == [Decimal("1265.4561")]


@pytest.mark.parametrize("pair", ["BTCUSDT", "AAVEUS", "BTC"])
def test_a_pair_that_cannot_be_parted_is_an_error(loopback, http, pair):
    path = "conf/pub:list:pair:exchange,pub:list:pair:futures,pub:info:pair,pub:info:pair:futures"
    loopback.put(path, f'[["{pair}"],[],[],[]]'.encode())
    if pair == "AAVEUS":  # six letters are three and three: nothing tells otherwise
        assert Instruments(rest_url=loopback.url).read(http)["base"].to_pylist() == ["AAV"]
        return
    with pytest.raises(DataError, match=f"'{pair}': a pair of two codes"):
        Instruments(rest_url=loopback.url).read(http)
