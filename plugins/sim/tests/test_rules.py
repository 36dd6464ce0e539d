"""The rules of an archive can fail: each is broken here by a door that is wrong in one way."""

import inspect
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import attrs
import numpy as np
import pyarrow as pa
import pytest

from werks import amounts
from werks.components import option
from werks.schema import nanoseconds, times
from werks.testing import ArchiveTests, Published, Totals
from werks.testing.shelf import Shelf
from werks_sim import Exchange, Trades
from werks_sim.market import START

DAY = timedelta(days=1)


@attrs.frozen
class Wrong:
    """A door that changes what another one reads or lists."""

    door: Trades = option(help="the door that is right")
    rows: Callable[[pa.RecordBatch], pa.RecordBatch] = option(lambda rows: rows, help="a change")
    listed: Callable[[list[Any]], list[Any]] = option(lambda files: files, help="a change")
    swallow: bool = option(False, help="whether errors are passed over")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.door, name)

    def files(self, *asked: Any) -> list[Any]:
        return self.listed(list(self.door.files(*asked)))

    def read(self, *given: Any) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self.door.read(*given):
                yield self.rows(batch)
        except Exception:
            if not self.swallow:
                raise


@pytest.fixture
def shelf(loopback, http):
    """Return a function that puts a wrong door before one published day."""
    exchange = Exchange(trades_per_day=50)
    for path, body in exchange.published("BTCUSD", START - DAY, START + 3 * DAY):
        loopback.put(path, body)
    tape = exchange.tape("BTCUSD", START)
    size, notional = int(tape.sizes.sum()), int((tape.prices * tape.sizes).sum())
    totals = {"BTCUSD": Totals(len(tape), amounts.decimal(size, 3), amounts.decimal(notional, 4))}
    published = Published(START, START + DAY, totals)
    right = Trades(trades_per_day=50, archive_url=loopback.url)
    return lambda **wrong: Shelf(Wrong(door=right, **wrong), published, loopback, http, 1)


def _put(name, change):
    """Return a change of one column, given as numpy integers or as the Arrow column."""

    def changed(rows):
        at = rows.schema.get_field_index(name)
        arrays = [*rows.columns]
        arrays[at] = change(rows[name])
        return pa.RecordBatch.from_arrays(arrays, schema=rows.schema)

    return changed


def _doubled(rows):
    return pa.concat_batches([rows, rows.slice(0, 1)])


def _other(column):
    return pa.DictionaryArray.from_arrays(column.indices, ["OTHER"])


def _zero(column):
    return amounts.column(np.zeros((len(column), 2), np.int64), column.type.scale)


ROWS = {
    "test_rows_have_the_schema": lambda rows: rows.replace_schema_metadata({}),
    "test_a_batch_is_of_one_symbol": _put("symbol", _other),
    "test_totals_are_as_published": lambda rows: rows.slice(1),
    "test_nothing_is_left_out": _put("trade_id", lambda ids: pa.nulls(len(ids), pa.string())),
    "test_ids_are_unique_within_a_time": _doubled,
    "test_the_taker_bought_or_sold": _put("tick_rule", lambda c: pa.array([2] * len(c), pa.int8())),
    "test_amounts_are_positive": _put("size", _zero),
    "test_a_notional_is_price_times_size": _put("notional", _zero),
}


def _apply(rule, case):
    """Run a rule as pytest would, with the fixtures that it asks for."""
    given = {"shelf": case, "batches": case.batches()}
    test = getattr(ArchiveTests(), rule)
    test(*(given[name] for name in inspect.signature(test).parameters))


@pytest.mark.parametrize("rule", ROWS)
def test_a_rule_of_rows_finds_the_wrong_ones(shelf, rule):
    _apply(rule, shelf())
    with pytest.raises(AssertionError):
        _apply(rule, shelf(rows=ROWS[rule]))


def test_times_of_another_day_are_found(shelf):
    later = _put("timestamp", lambda column: times(nanoseconds(column) + 86_400_000_000_000))
    with pytest.raises(AssertionError):
        ArchiveTests().test_times_lie_inside_the_file(shelf(rows=later))


@pytest.mark.parametrize(
    "listed",
    [
        lambda files: [],
        lambda files: [attrs.evolve(f, start=f.start + DAY, stop=f.stop + DAY) for f in files],
        lambda files: [*files, *(attrs.evolve(f, start=f.stop, stop=f.stop + DAY) for f in files)],
    ],
)
def test_files_of_other_days_are_found(shelf, listed):
    with pytest.raises(AssertionError):
        ArchiveTests().test_files_are_of_the_days_asked_for(shelf(listed=listed))


BROKEN = [name for name in vars(ArchiveTests) if name.startswith(("test_a_row_", "test_a_file_"))]


@pytest.mark.parametrize("rule", [*BROKEN, "test_an_empty_file"])
def test_a_door_that_passes_over_errors_is_found(shelf, rule):
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        getattr(ArchiveTests(), rule)(shelf(swallow=True))


def test_a_rule_cannot_be_overridden_in_silence():
    class Silent(ArchiveTests):
        def test_an_empty_file(self, shelf):
            pass

    class Deleted(ArchiveTests):
        test_an_empty_file = None

    class Said(ArchiveTests):
        @pytest.mark.xfail(reason="the exchange publishes empty files")
        def test_an_empty_file(self, shelf):
            pass

    Said().test_a_rule_is_overridden_only_with_a_reason()
    for wrong in (Silent, Deleted):
        with pytest.raises(AssertionError, match="test_an_empty_file is overridden"):
            wrong().test_a_rule_is_overridden_only_with_a_reason()


def test_what_a_subclass_must_give_is_said():
    class Bare(ArchiveTests):
        pass

    with pytest.raises(NotImplementedError, match="Bare must give door"):
        Bare().door("http://127.0.0.1")
    with pytest.raises(NotImplementedError, match="Bare must give publish"):
        Bare().publish(None)
