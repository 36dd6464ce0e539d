"""Every rule of the kit can fail: transforms with one fault each, and the rule that finds it."""

import attrs
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from werks.amounts import limbs
from werks.components import option
from werks.errors import ConfigError
from werks.schema import nanoseconds
from werks.testing import TransformTests
from werks.transforms.aggregate import Aggregate
from werks.transforms.bars import Bars

SHARED = []


@attrs.frozen
class Faulty:
    """Aggregates as `aggregate` does, but for a fault."""

    fault: str = option(help="what is wrong")
    seam = "day"

    def output(self, schemas):
        if self.fault == "takes anything":
            return next(iter(schemas.values()))
        return Aggregate().output(schemas)

    def start(self, schemas, state):
        return FaultyStep(self.fault, Aggregate(), schemas, state)


class FaultyStep:
    def __init__(self, fault, component, schemas, state):
        self._fault = fault
        self._forgets = fault == "forgets its state"
        self._step = component.start(schemas, None if self._forgets else state)
        self._component, self._schemas = component, schemas

    def push(self, rows, node):
        if self._fault == "trips over nothing" and not len(rows):
            raise IndexError
        if self._fault == "loses a row":
            rows = rows.slice(1)
        if self._fault == "writes into its input":
            limbs(rows["size"])[:, 0] += 1
        for out in self._step.push(rows, node):
            yield self._bent(out)
        if self._fault == "closes with the batch":
            yield from self._step.cut()

    def _bent(self, out):
        if self._fault == "forgets its metadata":
            return out.replace_schema_metadata(None)
        if self._fault == "mistakes low for high" and len(out):
            place = out.schema.get_field_index("high")
            return out.set_column(place, out.schema.field(place), out["low"])
        if self._fault == "shares between steps":
            SHARED.append(0)
            return out.slice(len(SHARED) % 2)
        return out

    def advance(self, time):
        if self._fault == "closes too early":
            open_ = list(self._step.flush())
            if open_ and nanoseconds(open_[0]["timestamp"])[0] <= time:
                yield from self._step.cut()
        yield from self._step.advance(time)

    def cut(self):
        if self._fault == "forgets at a gap":
            list(self._step.cut())
        return list(self._step.cut())

    def flush(self):
        return list(self._step.cut() if self._fault == "ends with a flush" else self._step.flush())

    def state(self):
        state = self._step.state()
        return state | {"more": (1,)} if self._fault == "has a state that JSON changes" else state


def broken(law, component, examples=60):
    """Run a law without shrinking; True if it found something."""
    kit = type("Kit", (TransformTests,), {"component": component})()
    rule = getattr(TransformTests, law).hypothesis.inner_test

    @settings(max_examples=examples, deadline=None, derandomize=True, phases=[Phase.generate])
    @given(st.data())
    def found(data):
        rule(kit, data)

    try:
        found()
    except (Exception, BaseExceptionGroup):
        return True
    return False


LAWS = {
    "forgets its state": "test_stopping_changes_nothing",
    "has a state that JSON changes": "test_a_look_changes_nothing",
    "ends with a flush": "test_a_look_changes_nothing",
    "trips over nothing": "test_an_empty_batch_passes",
    "loses a row": "test_nothing_is_lost_or_added",
    "closes with the batch": "test_the_cut_of_batches_changes_nothing",
    "forgets its metadata": "test_what_comes_out_is_what_was_declared",
    "mistakes low for high": "test_every_row_is_sound",
    "shares between steps": "test_equal_rows_give_equal_rows",
    "closes too early": "test_the_time_changes_nothing",
    "writes into its input": "test_what_comes_in_is_not_changed",
    "forgets at a gap": "test_a_gap_loses_nothing",
}


@pytest.mark.parametrize("fault", LAWS)
def test_a_fault_is_found_by_its_law(fault):
    assert broken(LAWS[fault], Faulty(fault=fault))


@pytest.mark.parametrize("law", sorted(set(LAWS.values())))
def test_without_a_fault_nothing_is_found(law):
    assert not broken(law, Faulty(fault="none"), 5)


def test_a_carried_sum_is_found_where_the_seam_denies_it():
    @attrs.frozen
    class Sly:
        seam = "day"

        def output(self, schemas):
            return Bars(by="ticks", every=3).output(schemas)

        def start(self, schemas, state):
            return Bars(by="ticks", every=3).start(schemas, state)

    assert broken("test_nothing_is_carried_over_midnight", Sly())


def kit(component):
    return type("Kit", (TransformTests,), {"component": component})()


def test_a_component_must_be_frozen_and_helpful():
    @attrs.define
    class Loose:
        width = 1
        size: int = 1

    with pytest.raises(AssertionError):
        kit(Loose()).test_it_is_a_frozen_attrs_class()
    with pytest.raises(AssertionError):
        kit(Loose()).test_every_option_has_a_help_text()
    with pytest.raises(AttributeError):
        kit(Loose()).test_it_survives_pickling()


def test_a_component_must_refuse_what_it_cannot_take():
    with pytest.raises(pytest.fail.Exception):
        kit(Faulty(fault="takes anything")).test_rows_that_it_cannot_take_are_refused()


def test_a_component_must_take_something():
    @attrs.frozen
    class Picky:
        seam = "day"

        def output(self, schemas):
            raise ConfigError(["no"])

    with pytest.raises(AssertionError):
        kit(Picky()).test_it_takes_something_and_says_its_seam()


def test_a_rule_may_be_overridden_only_with_a_reason():
    def nothing(self):
        """Check nothing."""

    for mark, good in (
        (lambda law: law, False),
        (pytest.mark.xfail, False),
        (pytest.mark.skip(reason="later"), False),
        (pytest.mark.xfail(reason="it samples, so sums differ"), True),
    ):
        rules = {"component": Aggregate(), "test_nothing_is_lost_or_added": mark(nothing)}
        mine = type("Kit", (TransformTests,), rules)()
        if good:
            mine.test_a_rule_is_overridden_only_with_a_reason()
        else:
            with pytest.raises(AssertionError, match="overridden without xfail"):
                mine.test_a_rule_is_overridden_only_with_a_reason()
