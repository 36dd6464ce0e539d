"""The rules that a door to an exchange's own candles keeps, besides those of `HistoryTests`."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from ..http import Http
from ..options import duration
from ..schema import kind
from .history import HistoryTests
from .tape import Replay, plain

__all__ = ["CandleTests"]

NAMES = ["timestamp", "open", "high", "low", "close", "volume", "notional", "trades", "interval"]
Candle = dict[str, Any]


class CandleTests(HistoryTests):
    """Give `door` and `publish`, as for `HistoryTests`; the tape holds some minutes of candles.

    It should have a minute without a trade, and a candle whose open is not the close before.
    `rounding` is what the volume or the turnover of a candle may be off by.
    """

    @pytest.fixture
    def candles(self, replay: Replay, client: Http) -> list[Candle]:
        """Return all candles of the tape."""
        rows = plain(replay.joined(client), NAMES)
        return [dict(zip(NAMES, row, strict=True)) for row in rows]

    def test_it_states_what_its_candles_are(self, component: Any) -> None:
        """A door to candles states how long they are, and what they are made of."""
        assert kind(component.schema) == "CANDLE"
        assert duration(component.interval, "interval") > 0
        assert component.opens in ("first", "previous")
        assert component.empty in ("omit", "carry")
        assert component.settled >= timedelta(0)

    def test_a_candle_is_labelled_by_its_start(
        self, component: Any, candles: Sequence[Candle], replay: Replay
    ) -> None:
        """`timestamp` is the start, a multiple of the interval, and `interval` is in every row."""
        length = duration(component.interval, "interval")
        assert [each["timestamp"] for each in candles if each["timestamp"] % length] == []
        assert {each["interval"] for each in candles} == {component.interval}
        assert [each["timestamp"] for each in candles] == [row[0] for row in replay.expected]

    def test_prices_lie_between_low_and_high(self, candles: Sequence[Candle]) -> None:
        """Low ≤ open, close ≤ high, all above zero; the columns are not mixed up."""
        for each in candles:
            assert 0 < each["low"] <= min(each["open"], each["close"]), each
            assert max(each["open"], each["close"]) <= each["high"], each

    def test_volume_is_in_base_and_notional_in_quote(self, candles: Sequence[Candle]) -> None:
        """Where both are stated, their ratio is a price between the candle's low and high."""
        for each in candles:
            low, high, volume, value = (each[n] for n in ("low", "high", "volume", "notional"))
            assert volume is None or volume >= 0
            if volume is None or value is None:
                continue
            off = self.rounding
            assert low * (volume - off) - off <= value <= high * (volume + off) + off, each

    def test_counts_are_not_negative(self, candles: Sequence[Candle]) -> None:
        """A candle with a volume is made of one trade or more, where the number is stated."""
        for each in candles:
            assert each["trades"] is None or each["trades"] >= bool(each["volume"]), each

    def test_open_is_as_stated(self, component: Any, candles: Sequence[Candle]) -> None:
        """With `opens = "previous"` each open is the close before; with `first` one is not."""
        length = duration(component.interval, "interval")
        joined = [
            before["close"] == after["open"]
            for before, after in pairwise(candles)
            if after["timestamp"] - before["timestamp"] == length
        ]
        assert joined
        assert all(joined) == (component.opens == "previous")

    def test_minutes_without_trades_are_as_stated(
        self, component: Any, candles: Sequence[Candle]
    ) -> None:
        """With `omit` they have no candle; with `carry` there is no hole, and one at the close."""
        length = duration(component.interval, "interval")
        steps = {b["timestamp"] - a["timestamp"] for a, b in pairwise(candles)}
        quiet = [each for each in candles if each["volume"] == 0]
        if component.empty == "omit":
            assert max(steps) > length, "the tape should have a minute without trades"
            assert quiet == []
            return
        assert steps == {length}
        assert quiet, "the tape should have a minute without trades"
        closes = {each["timestamp"] + length: each["close"] for each in candles}
        for each in quiet:
            prices = {each[name] for name in ("open", "high", "low", "close")}
            assert prices == {closes.get(each["timestamp"], each["close"])}, each

    def test_a_candle_that_runs_is_left_out(
        self, component: Any, replay: Replay, client: Http
    ) -> None:
        """A candle that ends after `until` does not come yet; it comes when it is over."""
        length = duration(component.interval, "interval")
        start = replay.expected[len(replay.expected) // 2][0]
        stop = start + length // 2
        first = replay.joined(client, stop=stop)
        assert replay.plain(first) == replay.between(replay.tape.start, start)
        rest = replay.rest(client, first.resume) if first.resume else replay.rows(client)
        assert [row for row in rest if row[0] >= start] == replay.between(start, replay.tape.stop)

    def test_amounts_are_exact(self, candles: Sequence[Candle]) -> None:
        """Prices and volumes are decimals."""
        names = ("open", "high", "low", "close", "volume", "notional")
        values = [each[name] for each in candles for name in names]
        assert [each for each in values if not isinstance(each, Decimal | None)] == []
