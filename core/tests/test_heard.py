"""What was heard becomes batches of one symbol each; what cannot be a row stops no other."""

from typing import Any

import attrs
import numpy as np
import pyarrow as pa
import pytest

from werks.errors import DataError, MessageError
from werks.heard import Columns, Heard, batches, flush
from werks.schema import Scales, batch, nanoseconds, schema, times, word
from werks.wire import decimals, epoch

URL = "wss://x.test/ws"
SCHEMA = schema("QUOTE", Scales(2, 2))
NOON = 1_704_110_400_000_000_000  # 2024-01-01 12:00


@attrs.frozen
class Payload:
    symbol: str
    time: int
    price: str


def columns(heard, received, name):
    price = decimals([each.price for each in heard], 2, name, "price")
    moments = times(epoch([each.time for each in heard], 1, name))
    return {"timestamp": moments, **dict.fromkeys(("bid", "ask"), price)}


def build(kept, symbol, received):
    rows = len(kept)
    made = columns(kept, received, f"{URL} {symbol}")
    moments = times(np.array(received, np.int64))
    names = {"exchange": word("x", rows), "symbol": word(symbol, rows)}
    return batch(SCHEMA, **names, received=moments, **made)


@attrs.frozen
class Manner:
    url: str = URL
    exchange: str = "x"
    schema: pa.Schema = SCHEMA
    columns: Columns = columns


def payloads(symbols, wrong=()):
    return [
        Payload(symbol, NOON + n, "many" if n in wrong else f"{n}.5")
        for n, symbol in enumerate(symbols)
    ]


def by_symbol(given) -> list[Heard]:
    found: dict[str, Heard] = {}
    for n, each in enumerate(given):
        heard = found.setdefault(each.symbol, Heard(each.symbol))
        heard.kept.append(each)
        heard.received.append(n)
    return list(found.values())


def told(made) -> dict[str, list[Any]]:
    """Return times of reception by symbol; each batch must have one symbol and be whole."""
    found: dict[str, list[Any]] = {}
    for each in made:
        each.validate(full=True)
        (symbol,) = each["symbol"].unique().to_pylist()
        assert each.schema.equals(SCHEMA, check_metadata=True)
        at = nanoseconds(each["received"]).tolist()
        assert (nanoseconds(each["timestamp"]) - NOON).tolist() == at
        assert [str(price) for price in each["bid"].to_pylist()] == [f"{n}.50" for n in at]
        assert symbol not in found
        found[symbol] = at
    return found


@pytest.mark.parametrize("symbols", ["A", "AAA", "ABAB", "BBA", "CABCAB"])
def test_rows_are_of_one_symbol_a_batch_in_the_order_in_which_they_came(symbols):
    given = payloads(symbols)
    wanted = {each: [n for n, s in enumerate(symbols) if s == each] for each in set(symbols)}
    kept = by_symbol(given)
    assert told(flush(kept, build)) == wanted
    assert flush(kept, build) == []
    spelt = {each: each for each in symbols}
    found, error = batches(given, range(len(given)), spelt, Manner())
    assert (told(found), error) == (wanted, None)


def test_a_symbol_is_spelt_as_it_was_asked_for():
    found, _ = batches(payloads("AB"), [0, 1], {"A": "a", "B": "b"}, Manner())
    assert told(found) == {"a": [0], "b": [1]}


def test_nothing_heard_gives_nothing():
    assert flush([Heard("A")], build) == []
    assert batches([], [], {}, Manner()) == ([], None)


@pytest.mark.parametrize("wrong", [{0}, {3}, {1, 2}, {0, 5}, set(range(5)), set(range(6))])
def test_what_cannot_be_a_row_is_told_of_and_the_others_come(wrong):
    given, symbols = payloads("ABABAB", wrong), "ABABAB"
    left = {s: [n for n in range(6) if symbols[n] == s and n not in wrong] for s in "AB"}
    wanted = {symbol: rows for symbol, rows in left.items() if rows}
    kept = by_symbol(given)
    with pytest.raises(MessageError, match=rf"{URL} [AB]: row 1: price cannot be 'many'"):
        flush(kept, build)
    assert sum(len(each.wrong) for each in kept) == len(wrong)
    assert told(flush(kept, build)) == wanted
    found: dict[str, list[Any]] = {}
    made, error = batches(given, range(6), {"A": "A", "B": "B"}, Manner())
    for each in made:
        for symbol, rows in told([each]).items():
            found.setdefault(symbol, []).extend(rows)
    assert found == wanted
    assert isinstance(error, MessageError)
    assert f"{URL}: row 1: price cannot be 'many'" in str(error)
    assert ("more)" in str(error)) == (len(wrong) > 1)


def test_one_fault_among_many_costs_few_attempts():
    calls = []

    def counted(kept, symbol, received):
        calls.append(len(kept))
        return build(kept, symbol, received)

    kept = by_symbol(payloads("A" * 1024, {700}))
    with pytest.raises(MessageError):
        flush(kept, counted)
    assert len(calls) < 30


def test_the_last_that_was_heard_is_known_after_it_was_flushed():
    (kept,) = by_symbol(payloads("AA"))
    assert Heard("A").last is None
    last = kept.last
    flush([kept], build)
    assert (kept.last, kept.kept) == (last, [])


def test_an_error_of_another_kind_is_not_swallowed():
    def broken(kept, symbol, received):
        raise TypeError("no")

    with pytest.raises(TypeError):
        flush(by_symbol(payloads("A")), broken)
    with pytest.raises((DataError, MessageError)):
        flush(by_symbol(payloads("A", {0})), build)
