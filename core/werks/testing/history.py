"""The rules that a REST door to the past keeps, as tests that a plugin inherits and runs.

For trades, open interest and funding; `CandleTests` has the rules of candles besides.
"""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ..errors import DataError, MessageError, RejectedError
from ..http import Http
from ..schema import kind
from .loopback import Loopback
from .rest import Reader, RestTests
from .tape import COLUMNS, Replay, Row, Tape, body

__all__ = ["HistoryTests", "Tape"]

_HOUR = 3_600 * 10**9
_TRADES = ("TRADE", "TICK")
_NEVER_NULL = ("exchange", "symbol", "timestamp", "trade_id", "tick_rule", "price", "size")


class HistoryTests(RestTests):
    """Give `door` and `publish`; every test is a rule, and its docstring says which.

    The tape should be small, a few hundred rows, and need three pages or more, so the simulator's
    pages are small. Several trades should share one time where a page ends.
    """

    cuts = True
    """Whether a page may end between rows of one time (False: pages are whole spans of time)."""
    stranger = "NOSUCHSYMBOL"
    """A symbol that the simulator does not have, spelt as the exchange spells symbols."""
    rounding = Decimal(0)
    """The last digit to which the exchange rounds sizes or notionals; 0 where nothing is."""

    def publish(self, loopback: Loopback) -> Tape:
        """Put a simulator of the exchange's REST onto the server and say what it holds."""
        raise NotImplementedError(f"{type(self).__name__} must give publish(self, loopback)")

    @pytest.fixture
    def replay(self, component: Any, published: Tape, loopback: Loopback) -> Replay:
        """Return the door with the tape behind it."""
        return Replay(component, published, loopback)

    @pytest.fixture
    def reader(self, replay: Replay) -> Reader:
        """Return a function that reads the whole tape, as batches."""
        return lambda http: list(replay.joined(http))

    def test_it_states_its_facts(self, component: Any) -> None:
        """A door to the past states what its rows are, how far back it reaches, and that it is on.

        `reach` is a timedelta, or None for all of the past.
        """
        assert kind(component.schema) in COLUMNS
        assert component.reach is None or component.reach > timedelta(0)
        assert component.off == ""

    def test_ids_that_prove_nothing_are_called_so(self, component: Any) -> None:
        """A door whose ids are not contiguous says in `blind_spots` what cannot be proven."""
        assert component.continuity == "contiguous" or len(component.blind_spots) > 0

    def test_the_tape_takes_several_pages(self, replay: Replay, client: Http) -> None:
        """The tape tests what it should: its rows are in order and come in three pages or more."""
        times = [row[0] for row in replay.expected]
        assert times == sorted(times)
        assert replay.tape.start <= times[0] <= times[-1] < replay.tape.stop
        assert len([page for page, _ in replay.pages(client) if len(page)]) > 2

    def test_every_row_comes_once_and_in_order(self, replay: Replay, client: Http) -> None:
        """Read as the core reads, every row of the tape comes exactly once, in order."""
        assert replay.rows(client) == replay.expected

    def test_pages_come_oldest_first(self, replay: Replay, client: Http) -> None:
        """The rows of a page are in order, and no page begins or ends before the one above it."""
        pages = [replay.times(page) for page, _ in replay.pages(client) if len(page)]
        assert [page for page in pages if page != sorted(page)] == []
        for above, below in pairwise(pages):
            assert above[0] <= below[0]
            assert above[-1] <= below[-1]

    def test_a_page_is_of_the_symbol(self, replay: Replay, client: Http) -> None:
        """A page holds the symbol that was asked for, and no other."""
        pages = [page for page, _ in replay.pages(client) if len(page)]
        assert {symbol for page in pages for symbol in page["symbol"].to_pylist()} == {
            replay.tape.symbol
        }

    def test_rows_of_one_time_are_all_there_where_a_page_ends(
        self, replay: Replay, client: Http
    ) -> None:
        """Where a page ends between rows of one time, the rest of them comes with the next."""
        if not self.cuts or kind(replay.component.schema) not in _TRADES:
            pytest.skip("no page of this door ends between rows of one time")
        having = Counter(row[0] for row in replay.expected)
        pages = [replay.times(page) for page, _ in replay.pages(client) if len(page)]
        ends = {page[-1] for page in pages if page.count(page[-1]) < having[page[-1]]}
        assert ends, "no page of this tape ends between rows of one time: give it one that does"
        found = [row for row in replay.rows(client) if row[0] in ends]
        assert found == [row for row in replay.expected if row[0] in ends]

    def test_it_goes_on_from_every_cursor(self, replay: Replay, client: Http) -> None:
        """A fresh door in another process goes on from any page's cursor with what is behind it."""
        seen: set[Row] = set()
        for page, cursor in replay.pages(client):
            seen.update(replay.plain([page]))
            with Http(tries=1, sleep=lambda _: None) as another:
                rest = replay.another().rest(another, cursor)
            assert rest == replay.expected[len(replay.expected) - len(rest) :]
            assert set(replay.expected) <= seen.union(rest), f"rows are lost behind {cursor!r}"

    def test_it_goes_on_where_a_span_ended(self, replay: Replay, client: Http) -> None:
        """What comes up to a time, and from the cursor that is left then, is the whole tape."""
        times = [row[0] for row in replay.expected]
        for stop in (times[len(times) // 3], times[len(times) // 2], times[-1]):
            first = replay.joined(client, stop=stop)
            rows = replay.plain(first)
            rest = replay.rest(client, first.resume) if first.resume else replay.rows(client)
            assert rows == replay.between(replay.tape.start, stop)
            assert [row for row in rest if row[0] >= stop] == replay.between(stop, times[-1] + 1)

    def test_a_span_gives_just_its_rows(self, replay: Replay, client: Http) -> None:
        """A span within the tape gives its rows: those at its start, and none at its end."""
        times = [row[0] for row in replay.expected]
        count = len(times)
        for start, stop in ((times[count // 3], times[2 * count // 3]), (times[1] + 1, times[-1])):
            assert replay.rows(client, start, stop) == replay.between(start, stop)

    def test_an_empty_span_gives_nothing(self, replay: Replay, client: Http) -> None:
        """A span of no length, and one in which nothing happened, give nothing and end."""
        times = sorted({row[0] for row in replay.expected})
        middle = times[len(times) // 2]
        assert replay.rows(client, middle, middle) == []
        before, after = max(pairwise(times), key=lambda pair: pair[1] - pair[0])
        assert replay.rows(client, before + 1, after) == []

    def test_a_span_before_the_first_row_ends(self, replay: Replay, client: Http) -> None:
        """Where nothing was traded yet nothing comes; a span that begins there goes on from it."""
        times = [row[0] for row in replay.expected]
        first = replay.rows(client, times[0] - _HOUR, times[0])
        assert [row for row in first if row[0] >= replay.tape.start] == []
        rows = replay.rows(client, times[0] - _HOUR, times[len(times) // 2])
        assert [row for row in rows if row[0] >= replay.tape.start] == replay.between(
            times[0], times[len(times) // 2]
        )

    def test_it_ends_where_the_exchange_has_no_more(self, replay: Replay, client: Http) -> None:
        """A span that goes on behind the last row ends."""
        rows = replay.rows(client, stop=replay.tape.stop + _HOUR)
        assert rows[: len(replay.expected)] == replay.expected

    def test_a_symbol_that_there_is_not_is_rejected(self, replay: Replay, client: Http) -> None:
        """A symbol that the exchange does not have is a RejectedError, not an empty past."""
        tape = replay.tape
        with pytest.raises(RejectedError):
            list(replay.component.read(client, self.stranger, tape.start, tape.stop))

    def test_a_repeated_page_doubles_nothing(
        self, replay: Replay, client: Http, loopback: Loopback
    ) -> None:
        """Where the exchange gives one page twice no row comes twice, or it is an error."""
        replay.rows(client)
        path = replay.tape.paths[-1]
        whole = body(loopback, path)
        loopback.stall(path, 0.0)  # the first request is answered as it should be
        loopback.swap(path, whole)
        try:
            rows = replay.rows(client)
        except (MessageError, DataError):
            return
        assert Counter(rows) <= Counter(replay.expected)
        assert [row[0] for row in rows] == sorted(row[0] for row in rows)

    def test_a_trade_is_whole(self, replay: Replay, client: Http) -> None:
        """Of a trade only `received`, `notional` where sizes are rounded, and `flag` may be null.

        The taker bought (+1), sold (−1) or is unknown (0); prices and sizes are above zero.
        """
        batches = _trades(replay, client)
        for batch in batches:
            assert [name for name in _NEVER_NULL if batch[name].null_count] == []
            assert batch["received"].null_count == len(batch)
            assert set(batch["tick_rule"].to_pylist()) <= {-1, 0, 1}
            assert all(pc.min(batch[name]).as_py() > 0 for name in ("price", "size"))

    def test_ids_are_unique_within_a_time(self, replay: Replay, client: Http) -> None:
        """No two trades have the same time and the same id."""
        names = ["timestamp", "trade_id"]
        keys = [key for batch in _trades(replay, client) for key in _pairs(batch, names)]
        assert len(set(keys)) == len(keys)

    def test_a_notional_is_price_times_size(self, replay: Replay, client: Http) -> None:
        """A trade's notional is price × size, off by no more than what the exchange rounds."""
        for batch in _trades(replay, client):
            for price, size, notional in _pairs(batch, ["price", "size", "notional"]):
                if kind(batch.schema) == "TRADE":
                    assert abs(notional - price * size) <= (price + 1) * self.rounding


def _trades(replay: Replay, http: Http) -> list[pa.RecordBatch]:
    if kind(replay.component.schema) not in _TRADES:
        pytest.skip("its rows are no trades")
    return list(replay.joined(http))


def _pairs(batch: pa.RecordBatch, names: list[str]) -> list[tuple[Any, ...]]:
    # Python's own times know no nanoseconds.
    columns = [batch[name] for name in names]
    plain = [c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c for c in columns]
    return list(zip(*(column.to_pylist() for column in plain), strict=True))
