"""Which file waits for which: streams that carry something over midnight go day by day."""

import attrs

from ..components import Stream
from .plan import FilePlan, Plan
from .task import DAY, midnight


@attrs.define
class Turn:
    """A file of the plan, and the numbers of those that must be through before it.

    `attempt` counts the times it was tried, `not_before` is when it may be (`time.monotonic`).
    """

    plan: FilePlan
    after: set[int]
    attempt: int = 1
    not_before: float = 0.0


def in_turn(plan: Plan) -> dict[int, Turn]:
    """Return the files by number, each with those that must be through before it.

    A stream whose nodes carry state, or whose sinks only append, goes file by file; the others
    only keep a window that is cut short for the end, because the open remainder is its.
    """
    turns: dict[int, Turn] = {}
    before: dict[Stream, list[int]] = {}
    for number, each in enumerate(plan.files):
        after: set[int] = set()
        for day in each.days:
            mine = before.setdefault(day.stream, [])
            if each.branch.in_order:
                after.update(mine[-1:])
            elif day.until < midnight(day.day) + DAY:
                after.update(mine)
        for stream in {day.stream for day in each.days}:
            before[stream].append(number)
        turns[number] = Turn(each, after)
    return turns
