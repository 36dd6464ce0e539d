"""Pages by id: forward from an id, and the page in whose midst a time lies."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from .records import Aggregate, Trade, instant

Row = TypeVar("Row", Trade, Aggregate)

# How far the first step away from a guess goes; each further one goes four times as far.
_STEP = 1000


def forward(
    ask: Callable[[int], list[Row]], first: int, rows: list[Row]
) -> Iterator[tuple[list[Row], int]]:
    """Yield (rows, id that the next page begins with), until a page is empty."""
    while rows:
        first = max(first, rows[-1].id + 1)  # a page that was sent again does not lead back
        yield rows, first
        rows = ask(first)


def page_across(ask: Callable[[int], list[Row]], start: int, guess: int, end: int) -> list[Row]:
    """Return a page whose first row lies before `start` (ns) and whose last one does not.

    Where no row lies before, the first page; where none lies behind, the last ones. `guess` is an
    id that may be near, `end` an id that no row before `start` has.
    """
    low, high, step = 0, end, _STEP
    first = min(max(guess, 0), max(end - 1, 0))
    while low < high:
        rows = ask(first)
        if not rows:  # older than what the exchange still gives
            low = first + 1
        elif instant(rows[-1]) < start:
            low = rows[-1].id + 1
        elif instant(rows[0]) < start:
            return rows
        else:
            high = first
        if low and high < end:
            first = (low + high) // 2
        else:
            first = max(low, min(high - 1, low + step if low else high - step))
            step *= 4
    return ask(max(low - 1, 0)) or ask(low)
