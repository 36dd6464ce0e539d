"""Options that cannot be: one sentence each, which names the option."""

from decimal import Decimal

import pytest

from werks.options import structure
from werks.transforms.aggregate import Aggregate
from werks.transforms.bars import Bars
from werks.transforms.filter import Filter

NAN, INFINITE = Decimal("nan"), Decimal("inf")
TIME, TICKS = {"by": "time", "every": "1m"}, {"by": "ticks", "every": 5}


def problems(component, options):
    """Return the problems, each as one line, as the user is told them."""
    made, found = structure(component, options)
    assert (made is None) is bool(found)
    return [f"{name}: {what}" if name else what for name, what in found]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "give either min_notional or min_size"),
        ({"min_notional": 1, "min_size": 1}, "give either min_notional or min_size"),
        ({"min_notional": 0}, "min_notional: a number above 0 is expected, not 0"),
        ({"min_size": Decimal("-0.5")}, "min_size: a number above 0 is expected, not -0.5"),
        ({"min_size": "5"}, "min_size: a number is expected, not '5'"),
        ({"min_size": True}, "min_size: a number is expected, not True"),
        ({"min_notional": NAN}, "min_notional: a number is expected, not NaN"),
        ({"min_notional": INFINITE}, "min_notional: a number is expected, not Infinity"),
        ({"min_size": 1, "window": "2d"}, "window: 1d or less is expected, not 2d"),
        (
            {"min_size": 1, "window": "a minute"},
            'window: a duration like "1m", "4h" or "1d" is expected, not \'a minute\'',
        ),
        ({"min_size": 1, "window": 60}, "window: text is expected, not 60"),
        (
            {"min_notionl": 1000, "min_size": 1},
            'min_notionl: there is no such option; did you mean "min_notional"?',
        ),
    ],
)
def test_filter_says_what_it_cannot_take(options, expected):
    assert problems(Filter, options) == [expected]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            {"by": "tick", "every": 1},
            'by: must be one of "time" | "ticks" | "volume" | "notional", not \'tick\'',
        ),
        ({"by": "ticks"}, "every: this option is required"),
        (TIME | {"every": 60}, 'every: a duration like "1m", "4h" or "1d" is expected, not 60'),
        (
            TIME | {"every": "0m"},
            'every: a duration like "1m", "4h" or "1d" is expected, not \'0m\'',
        ),
        (
            TIME | {"every": "1M"},
            'every: a duration like "1m", "4h" or "1d" is expected, not \'1M\'',
        ),
        (
            TIME | {"every": "99999999w"},
            'every: a duration like "1m", "4h" or "1d" is expected, not \'99999999w\'',
        ),
        (TIME | {"every": "36h"}, "every: beyond 1d whole days are expected, not 36h"),
        (TIME | {"reset": "day"}, 'overshoot, reset and adaptive are not for by = "time"'),
        (TIME | {"overshoot": "carry"}, 'overshoot, reset and adaptive are not for by = "time"'),
        (TICKS | {"empty": "carry"}, 'empty is for by = "time" only'),
        (TICKS | {"every": "1m"}, "every: a number above 0 is expected, not '1m'"),
        (TICKS | {"every": 0}, "every: a number above 0 is expected, not 0"),
        (TICKS | {"every": Decimal("2.5")}, "every: a whole number of ticks is expected, not 2.5"),
        (TICKS | {"every": True}, "every: a number or a duration is expected, not True"),
        (TICKS | {"every": INFINITE}, "every: a number or a duration is expected, not Infinity"),
        (TICKS | {"every": NAN}, "every: a number or a duration is expected, not NaN"),
        (
            TICKS | {"overshoot": "split"},
            'overshoot: must be one of "absorb" | "carry", not \'split\'',
        ),
        (
            TICKS | {"reset": "hour"},
            'reset: must be one of "never" | "day" | "week" | "month" | "quarter" | "year", '
            "not 'hour'",
        ),
        (TICKS | {"adaptive": 7}, "adaptive: a table is expected, not 7"),
        (
            TICKS | {"adaptive": {"days": "7", "per_day": 1}},
            "adaptive: a whole number is expected, not '7'",
        ),
        *(
            (
                TICKS | {"adaptive": adaptive},
                "adaptive: {days = 7, per_day = 50} is expected, both above 0",
            )
            for adaptive in (
                *({}, {"days": 7}, {"days": 7, "per_day": 0}, {"days": -1, "per_day": 5}),
                {"days": 7, "per_day": 50, "hours": 3},
            )
        ),
    ],
)
def test_bars_say_what_they_cannot_take(options, expected):
    assert problems(Bars, options) == [expected]


def test_all_problems_are_said_at_once():
    found = problems(Bars, {"by": "price", "evry": 5, "empty": "fill"})
    assert [line.split(":")[0] for line in found] == ["evry", "by", "every", "empty"]


def test_aggregate_has_no_options():
    assert problems(Aggregate, {"window": "1m"}) == [
        "window: there is no such option; there are: none"
    ]


@pytest.mark.parametrize(
    ("component", "options"),
    [
        (Filter, {"min_notional": 1000}),
        (Filter, {"min_size": Decimal("0.001"), "window": "1d"}),
        (Bars, TIME | {"every": "1w", "empty": "carry"}),
        (Bars, TIME | {"every": "36500d"}),
        (Bars, TICKS | {"every": Decimal("1E+3"), "adaptive": {"days": 7, "per_day": 50}}),
        (Bars, {"by": "notional", "every": Decimal("0.5"), "overshoot": "carry", "reset": "week"}),
    ],
)
def test_options_that_can_be_are_taken_as_they_are(component, options):
    assert problems(component, options) == []
    made, _ = structure(component, options)
    assert {name: getattr(made, name) for name in options} == options
