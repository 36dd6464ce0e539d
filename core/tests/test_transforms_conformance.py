"""The transforms of the core keep the rules that the kit asks of every transform."""

from decimal import Decimal
from itertools import product

import pytest

from werks.testing import TransformTests
from werks.transforms.aggregate import Aggregate
from werks.transforms.bars import Bars
from werks.transforms.filter import Filter


class TestAggregate(TransformTests):
    component = Aggregate()


class TestFilterByNotional(TransformTests):
    component = Filter(min_notional=Decimal("0.5"))


@pytest.mark.long
class TestFilterBySize(TransformTests):
    component = Filter(min_size=Decimal("0.00000100"), window="7m")


class TestFilterByTheDay(TransformTests):
    component = Filter(min_notional=Decimal(10_000), window="1d")


class TestMinutes(TransformTests):
    component = Bars(by="time", every="1m")


@pytest.mark.long
class TestOddMinutes(TransformTests):
    component = Bars(by="time", every="7m")


@pytest.mark.long
class TestFourHours(TransformTests):
    component = Bars(by="time", every="4h")


@pytest.mark.long
class TestDays(TransformTests):
    component = Bars(by="time", every="1d")


@pytest.mark.long
class TestThreeDays(TransformTests):
    component = Bars(by="time", every="3d")


@pytest.mark.long
class TestFilledHours(TransformTests):
    component = Bars(by="time", every="1h", empty="carry")


@pytest.mark.long
class TestFilledDays(TransformTests):
    component = Bars(by="time", every="2d", empty="carry")


@pytest.mark.long
class TestFilledOddHours(TransformTests):
    component = Bars(by="time", every="5h", empty="carry")


class TestTicks(TransformTests):
    component = Bars(by="ticks", every=5)


@pytest.mark.long
class TestTicksAndADailyReset(TransformTests):
    component = Bars(by="ticks", every=3, reset="day", overshoot="carry")


@pytest.mark.long
class TestAdaptiveTicks(TransformTests):
    component = Bars(by="ticks", every=4, adaptive={"days": 1, "per_day": 3})


class TestVolume(TransformTests):
    component = Bars(by="volume", every=Decimal("0.00001"), reset="week")


@pytest.mark.long
class TestCarriedVolume(TransformTests):
    component = Bars(by="volume", every=Decimal(10**9), overshoot="carry")


@pytest.mark.long
class TestAdaptiveVolume(TransformTests):
    component = Bars(
        by="volume", every=1, overshoot="carry", reset="month", adaptive={"days": 2, "per_day": 5}
    )


class TestNotional(TransformTests):
    component = Bars(by="notional", every=Decimal("12.5"), reset="day")


@pytest.mark.long
class TestCarriedNotional(TransformTests):
    component = Bars(by="notional", every=10**9, overshoot="carry", reset="quarter")


class TestAdaptiveNotional(TransformTests):
    component = Bars(by="notional", every=100, reset="day", adaptive={"days": 3, "per_day": 2})


# All thresholds × overshoot × reset × adaptive: too many to try them each time.
for _by, _overshoot, _reset, _adaptive in product(
    ("ticks", "volume", "notional"),
    ("absorb", "carry"),
    ("never", "day", "week", "month"),
    (None, {"days": 2, "per_day": 4}),
):
    _options = {"by": _by, "overshoot": _overshoot, "reset": _reset, "adaptive": _adaptive}
    _name = f"TestBy{_by}_{_overshoot}_{_reset}{'_adaptive' if _adaptive else ''}"
    _kit = type(_name, (TransformTests,), {"component": Bars(every=7, **_options)})
    globals()[_name] = pytest.mark.long(_kit)
del _kit
