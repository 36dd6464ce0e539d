"""Bars by time, ticks, volume or notional."""

from collections.abc import Mapping

from ...hookspecs import hookimpl
from .component import Bars

__all__ = ["Bars", "werks_transforms"]


@hookimpl
def werks_transforms() -> Mapping[str, type]:
    """Offer `bars`."""
    return {"bars": Bars}
