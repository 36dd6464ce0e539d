"""Rows of a symbol that came one after another go on together, and stay between the same events."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from werks.live.inbox import ROOM, Arrived, Disconnected, Inbox, Told, gathered
from werks.schema import word

SYMBOLS = ("A", "B", "C")


def rows(symbol, number, name="n"):
    numbers = pa.array([number], pa.int64())
    return pa.record_batch({"symbol": word(symbol, 1), "n": numbers} | {name: numbers})


@st.composite
def arrivals(draw):
    """Return rows of three symbols on two sources, numbered as they came, and events among them.

    Those of the second source have ids.
    """
    items = []
    for number in range(draw(st.integers(0, 40))):
        connection = draw(st.integers(1, 2)) * ROOM + draw(st.integers(0, 1))
        symbol = draw(st.sampled_from(SYMBOLS))
        if draw(st.integers(0, 5)):
            name = "n" if connection < 2 * ROOM else "trade_id"
            items.append(Arrived(connection, rows(symbol, number, name)))
        else:
            items.append(Told(connection, symbol, "missed", str(number)))
    return items


def heard(items, connections, symbol):
    """Return what concerns a symbol of connections: its rows, one by one, and all events."""
    for item in items:
        if isinstance(item, Told):
            yield item
        elif item.connection in connections and item.batch["symbol"][0].as_py() == symbol:
            yield from item.batch["n"].to_pylist()


@given(arrivals())
def test_each_symbol_hears_the_same_in_the_same_order(items):
    found = list(gathered(items))
    for of in ((ROOM,), (ROOM + 1,), (2 * ROOM, 2 * ROOM + 1)):
        for symbol in SYMBOLS:
            assert list(heard(found, of, symbol)) == list(heard(items, of, symbol))


def test_rows_between_two_events_are_one_batch():
    inbox = Inbox()
    for number in range(100):
        inbox.put(Arrived(ROOM + number % 2, rows("AB"[number % 2], number)))
    inbox.put(Disconnected(ROOM, ("A",), "closed"))
    inbox.put(Arrived(ROOM, rows("A", 100)))
    found = [len(each.batch) if isinstance(each, Arrived) else "end" for each in inbox.take(1.0)]
    assert found == [50, 50, "end", 1]


def test_what_has_waited_for_long_comes_by_parts():
    """It may lie on disk: all of it at once might not fit into memory."""
    many = pa.concat_batches([rows("A", 0)] * 10_000)
    sizes = [len(item.batch) for item in gathered([Arrived(ROOM, many)] * 6)]
    assert sizes == [20_000, 20_000, 20_000]
