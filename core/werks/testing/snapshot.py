"""The rules that a list of instruments keeps, as tests that a plugin inherits and runs."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from ..http import Http
from ..schema import kind
from .loopback import Loopback
from .rest import Reader, RestTests
from .tape import Listed, plain

__all__ = ["Listed", "SnapshotTests"]

KINDS = {"spot", "perpetual", "future", "option", "index"}
_STEPS = ("tick_size", "lot_size", "min_size", "min_notional", "contract_value")


class SnapshotTests(RestTests):
    """Give `door` and `publish`; every test is a rule, and its docstring says which."""

    def publish(self, loopback: Loopback) -> Listed:
        """Put the exchange's list of instruments onto the server and say what it holds."""
        raise NotImplementedError(f"{type(self).__name__} must give publish(self, loopback)")

    @pytest.fixture
    def reader(self, component: Any, published: Listed) -> Reader:
        """Return a function that reads the list."""
        return lambda http: [component.read(http)]

    @pytest.fixture
    def instruments(self, component: Any, published: Listed, client: Http) -> list[dict[str, Any]]:
        """Return the rows as plain data."""
        names = component.schema.names
        rows = plain([component.read(client)], names)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def test_it_is_a_list_of_instruments(self, component: Any) -> None:
        """Its rows are INSTRUMENT."""
        assert kind(component.schema) == "INSTRUMENT"

    def test_every_instrument_is_there_once(
        self, instruments: Sequence[Mapping[str, Any]], published: Listed
    ) -> None:
        """Each symbol that the exchange lists is one row, whatever page it is on."""
        symbols = [each["symbol"] for each in instruments]
        assert len(set(symbols)) == len(symbols)
        assert set(symbols) == set(published.rows)

    def test_values_are_as_published(
        self, component: Any, instruments: Sequence[Mapping[str, Any]], published: Listed
    ) -> None:
        """Each value that is stated is just what the exchange publishes."""
        found = {each["symbol"]: each for each in instruments}
        for symbol, values in published.rows.items():
            for name, value in values.items():
                exact = pa.types.is_decimal(component.schema.field(name).type)
                wanted = Decimal(str(value)) if exact and value is not None else value
                assert found[symbol][name] == wanted, f"{symbol} {name}"

    def test_kind_and_status_are_stated(self, instruments: Sequence[Mapping[str, Any]]) -> None:
        """Every instrument has a kind that is one of ours, and a status."""
        assert {each["kind"] for each in instruments} <= KINDS
        assert [each["symbol"] for each in instruments if not each["status"]] == []

    def test_steps_are_above_zero(self, instruments: Sequence[Mapping[str, Any]]) -> None:
        """A tick size, a lot size or a minimum is above zero, or null where there is none."""
        for each in instruments:
            wrong = [name for name in _STEPS if each[name] is not None and each[name] <= 0]
            assert wrong == [], each["symbol"]

    def test_a_contract_ends_after_it_was_listed(
        self, instruments: Sequence[Mapping[str, Any]]
    ) -> None:
        """An expiry lies behind the listing, where both are known; spot does not expire."""
        for each in instruments:
            assert not (each["listed"] and each["expiry"]) or each["listed"] < each["expiry"]
            assert each["kind"] != "spot" or each["expiry"] is None
