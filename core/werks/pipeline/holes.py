"""What is missing of a live day, as a gap of the ledger."""

from collections.abc import Iterator

import attrs

from ..components import Stream
from ..ledger import Gap, Ledger
from .streaming import Lost

_LONGEST = 2000


def gaps_of(ledger: Ledger, stream: Stream, lost: Lost) -> Iterator[Gap]:
    """Yield what is missing of each day that a hole befalls, with what is known of it already."""
    hole = lost.hole
    missing = hole.missing if len(lost.days) == 1 else None
    for day in lost.days:
        yield _joined(ledger, Gap(stream, day, "ids", hole.cause, hole.evidence, missing, "open"))


def _joined(ledger: Ledger, gap: Gap) -> Gap:
    for known in ledger.gaps():
        if (known.stream, known.day, known.kind) == (gap.stream, gap.day, gap.kind):
            counted = known.missing is not None and gap.missing is not None
            missing = (known.missing or 0) + (gap.missing or 0) if counted else None
            evidence = f"{known.evidence}; {gap.evidence}"[:_LONGEST]
            return attrs.evolve(gap, evidence=evidence, missing=missing)
    return gap
