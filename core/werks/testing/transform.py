"""The rules that every transform keeps, as tests.

Subclass `TransformTests` and give it a component; hypothesis makes the rows::

    class TestAggregate(TransformTests):
        component = Aggregate()
"""

import json
import pickle
from collections.abc import Sequence
from typing import Any, ClassVar

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ..components import Transform
from ..errors import ConfigError
from ..schema import Scales, empty, kind, schema
from .rules import Rules, check_frozen, check_help
from .streams import (
    DAY,
    NODE,
    SUMS,
    Work,
    cuts,
    days,
    difference,
    equal,
    inputs,
    midnight,
    nanosecond,
    sound,
    totals,
)

__all__ = ["KINDS", "TransformTests"]

KINDS = ("TRADE", "TICK", "SIGNIFICANT")
# A law is written once and run by every class that inherits it.
_law = settings(deadline=None, suppress_health_check=[HealthCheck.differing_executors])


class TransformTests(Rules):
    """Give `component`; every test is a rule, and its docstring says which.

    Where a rule cannot be kept, override its test and mark it `pytest.mark.xfail(reason=…)`.
    """

    component: ClassVar[Any]
    """The transform, made with the options that are to be tested."""
    kinds: ClassVar[Sequence[str] | None] = None
    """The kinds of rows that it is given; None: those of TRADE, TICK, SIGNIFICANT that it takes."""
    scales: ClassVar[Sequence[Scales]] = (Scales(2, 8), Scales(0, 0), Scales(8, 10))
    """The scales of the rows that it is given."""

    def taken(self) -> list[str]:
        """Return the kinds of rows that the component is given."""
        return [name for name in self.kinds or KINDS if self.kinds or self._takes(name)]

    def _takes(self, name: str) -> bool:
        try:
            self.component.output({NODE: schema(name, self.scales[0])})
        except ConfigError:
            return False
        return True

    def rows(self) -> st.SearchStrategy[pa.RecordBatch]:
        """Return a strategy that draws all rows of one stream, in order, as one batch."""
        choice = st.tuples(st.sampled_from(self.taken()), st.sampled_from(self.scales))
        return choice.flatmap(lambda drawn: inputs(*drawn))

    def work(self, rows: pa.RecordBatch) -> Work:
        """Return the transform at work, with a fresh step."""
        component: Transform = self.component
        return Work(component, rows.schema)

    def whole(self, rows: pa.RecordBatch) -> Work:
        """Return the transform after it was given all rows in one batch."""
        work = self.work(rows)
        work.push(rows)
        return work

    def check(self, work: Work, rows: pa.RecordBatch) -> None:
        """Assert that work gave what the rows in one batch give, then and after their last day."""
        expected = self.whole(rows)
        equal(work, expected)
        work.advance(midnight(rows))
        expected.advance(midnight(rows))
        equal(work, expected)

    def test_it_is_a_frozen_attrs_class(self) -> None:
        """The transform is an attrs class that cannot be changed, and its docstring helps."""
        check_frozen(self.component)

    def test_every_option_has_a_help_text(self) -> None:
        """Each field is declared with `option` and explained in a sentence."""
        check_help(self.component)

    def test_it_survives_pickling(self) -> None:
        """A transform reaches another process whole."""
        assert pickle.loads(pickle.dumps(self.component)) == self.component  # noqa: S301

    def test_it_takes_something_and_says_its_seam(self) -> None:
        """At least one kind of rows is taken, and the seam is `day` or `never`."""
        assert self.taken()
        assert self.component.seam in ("day", "never")

    def test_rows_that_it_cannot_take_are_refused(self) -> None:
        """Rows of a foreign schema are refused with a ConfigError."""
        with pytest.raises(ConfigError):
            self.component.output({NODE: pa.schema([("colour", pa.string())])})

    @_law
    @given(st.data())
    def test_an_empty_batch_passes(self, data: st.DataObject) -> None:
        """A batch without rows yields no rows and changes nothing, whenever it comes."""
        rows = data.draw(self.rows())
        work = self.work(rows)
        work.push(empty(rows.schema))
        assert not len(work.closed())
        work.push(rows, empty(rows.schema))
        self.check(work, rows)

    @_law
    @given(st.data())
    def test_what_comes_out_is_what_was_declared(self, data: st.DataObject) -> None:
        """Every batch has just the schema that `output` declares, its metadata included."""
        rows = data.draw(self.rows())
        work = self.work(rows)
        for piece in data.draw(cuts(rows)):
            work.push(piece)
            for given_ in work.step.flush():
                assert given_.schema.equals(work.schema, check_metadata=True)
        work.advance(midnight(rows))
        for given_ in work.out:
            assert given_.schema.equals(work.schema, check_metadata=True)
            given_.validate(full=True)

    @_law
    @given(st.data())
    def test_nothing_is_lost_or_added(self, data: st.DataObject) -> None:
        """Size, notional and ticks, all and bought, are the same in and out, exactly.

        Rows that have come out and those still open count together; off-book rows do not count.
        """
        rows = data.draw(self.rows())
        work = self.work(rows)
        if kind(work.schema) not in SUMS:
            pytest.skip(f"{kind(work.schema) or 'its'} rows hold no sums")
        expected = totals([rows], rows.schema)
        for piece in data.draw(cuts(rows)):
            work.push(piece)
        for time in (nanosecond(rows, -1), midnight(rows)):
            work.advance(time)
            assert totals([*work.out, *work.step.flush()], work.schema) == expected

    @_law
    @given(st.data())
    def test_the_cut_of_batches_changes_nothing(self, data: st.DataObject) -> None:
        """The same rows come out, bit for bit, whatever batches the input came in."""
        rows = data.draw(self.rows())
        work = self.work(rows)
        work.push(*data.draw(cuts(rows)))
        self.check(work, rows)

    @_law
    @given(st.data())
    def test_stopping_changes_nothing(self, data: st.DataObject) -> None:
        """A step that goes on from a state, which went through JSON, is as good as the first."""
        rows = data.draw(self.rows())
        work = self.work(rows)
        for piece in data.draw(cuts(rows)):
            work.push(piece)
            work.resume()
        self.check(work, rows)

    @_law
    @given(st.data())
    def test_a_look_changes_nothing(self, data: st.DataObject) -> None:
        """Neither `state` nor `flush` changes what follows; the state is plain data."""
        rows = data.draw(self.rows())
        work = self.work(rows)
        for piece in data.draw(cuts(rows)):
            work.push(piece)
            state = work.step.state()
            assert json.loads(json.dumps(state)) == state
            found = difference(work.open(), work.open())
            assert not found, f"a second flush differs: {found}"
            assert work.step.state() == state
        self.check(work, rows)

    @_law
    @given(st.data())
    def test_the_time_changes_nothing(self, data: st.DataObject) -> None:
        """Whenever `advance` tells a true time, the same rows come out in the end."""
        rows = data.draw(self.rows())
        work = self.work(rows)
        pieces = [piece for piece in data.draw(cuts(rows)) if len(piece)]
        bounds = [nanosecond(piece, 0) for piece in pieces]
        for piece, until in zip(pieces, [*bounds[1:], midnight(rows)], strict=True):
            work.push(piece)
            last = nanosecond(piece, -1)
            times = st.lists(st.integers(last, until) | st.sampled_from((last, until)), max_size=2)
            for time in sorted(data.draw(times)):
                work.advance(time)
            work.advance(last - DAY)
        work.advance(midnight(rows))
        expected = self.whole(rows)
        expected.advance(midnight(rows))
        equal(work, expected)

    @_law
    @given(st.data())
    def test_a_gap_loses_nothing(self, data: st.DataObject) -> None:
        """After `cut`, told of rows that are missing, the rows before and after it all count."""
        rows = data.draw(self.rows())
        work, other = self.work(rows), self.work(rows)
        if kind(work.schema) not in SUMS:
            pytest.skip(f"{kind(work.schema) or 'its'} rows hold no sums")
        for piece in data.draw(cuts(rows)):
            for each in (work, other):
                each.push(piece)
                each.cut()
            work.resume()
        expected = totals([rows], rows.schema)
        assert totals([*work.out, *work.step.flush()], work.schema) == expected
        equal(work, other)

    @_law
    @given(st.data())
    def test_nothing_is_carried_over_midnight(self, data: st.DataObject) -> None:
        """With `seam = "day"`, a fresh step for each day gives what one step for all days gives."""
        if self.component.seam != "day":
            pytest.skip("it carries something over midnight, and says so")
        rows = data.draw(self.rows())
        work = self.work(rows)
        for day in days(rows):
            fresh = self.whole(day)
            fresh.advance(midnight(day))
            assert not len(fresh.open())
            work.out += fresh.out
        expected = self.whole(rows)
        expected.advance(midnight(rows))
        equal(work, expected)

    @_law
    @given(st.data())
    def test_equal_rows_give_equal_rows(self, data: st.DataObject) -> None:
        """Two steps of one component share nothing, and what one gives the other gives, too."""
        rows = data.draw(self.rows())
        one, other = self.work(rows), self.work(rows)
        for piece in data.draw(cuts(rows)):
            one.push(piece)
            other.push(piece)
        self.check(one, rows)
        self.check(other, rows)

    @_law
    @given(st.data())
    def test_what_comes_in_is_not_changed(self, data: st.DataObject) -> None:
        """Batches are read, never written to."""
        rows = data.draw(self.rows())
        before = rows.serialize().to_pybytes()
        work = self.work(rows)
        for piece in data.draw(cuts(rows)):
            work.push(piece)
            work.open()
        assert rows.serialize().to_pybytes() == before

    @_law
    @given(st.data())
    def test_every_row_is_sound(self, data: st.DataObject) -> None:
        """Low ≤ open, close ≤ high; a part ≤ its whole; rows come out oldest first."""
        rows = data.draw(self.rows())
        work = self.whole(rows)
        work.advance(midnight(rows))
        found = [*work.closed().to_pylist(), *work.open().to_pylist()]
        assert [row for row in found if not sound(row)] == []
        times = [row["timestamp"] for row in found if "timestamp" in row]
        assert times == sorted(times)
