"""What every kit asks of a component, and of the tests that inherit from it."""

from typing import Any

import attrs
import pytest


class Rules:
    """The rule about rules; all kits have it."""

    def test_a_rule_is_overridden_only_with_a_reason(self) -> None:
        """A test of these classes may be overridden only with `xfail(reason=…)`."""
        kit = [cls for cls in type(self).__mro__ if cls.__module__.startswith("werks.testing.")]
        for name in sorted({name for cls in kit for name in vars(cls) if name[:5] == "test_"}):
            mine = getattr(type(self), name)
            marks = [mark for mark in getattr(mine, "pytestmark", []) if mark.name == "xfail"]
            rule = next(vars(cls)[name] for cls in kit if name in vars(cls))
            assert mine is rule or any(mark.kwargs.get("reason") for mark in marks), (
                f"{name} is overridden without xfail(reason=…)"
            )


def check_frozen(component: Any) -> None:
    """Assert that a component is an attrs class that cannot be changed, and has a docstring."""
    assert attrs.has(type(component))
    assert (type(component).__doc__ or "").strip()
    for field in attrs.fields(type(component)):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(component, field.name, None)


def check_help(component: Any) -> None:
    """Assert that each field is declared with `option` and explained in a sentence."""
    fields = attrs.fields(type(component))
    assert [field.name for field in fields if not field.metadata.get("help")] == []
