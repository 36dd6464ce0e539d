"""`werks gaps`: what is missing, or may be, one line a span of days."""

import functools
import json
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from ..components import Stream
from ..errors import WerksError
from ..ledger import COUNTED, Gap
from ..pipeline import load
from ..pipeline.coverage import ledger_of, named
from .run import refuse

if TYPE_CHECKING:
    from rich.text import Text

_UNITS = {"day": ("day", "days"), "ids": ("trade", "trades"), "mismatch": ("minute", "minutes")}
_STYLES = {"open": "red", "suspected": "yellow"}


@attrs.define
class Span:
    """Gaps of consecutive days that are equal but for their day; `missing` is their sum."""

    gap: Gap
    last: date
    days: int
    missing: int | None
    attempts: int
    named: bool

    @property
    def counts(self) -> bool:
        """Whether something must be done about it: it is not settled, and the file wants it."""
        return self.named and self.gap.status in COUNTED

    def takes(self, gap: Gap) -> bool:
        """Tell whether a gap is the next day of this span."""
        return _same(self.gap) == _same(gap) and (gap.day - self.last).days == 1

    @property
    def when(self) -> str:
        """The day, or the first and the last day."""
        return f"{self.gap.day}" if self.days == 1 else f"{self.gap.day} … {self.last}"

    @property
    def why(self) -> str:
        """The cause, how it is known, and how often it was tried in vain."""
        cause, evidence = self.gap.cause, self.gap.evidence
        tried = f" (tried {self.attempts:,} times)" if self.attempts > 1 else ""
        return one_line(f"{cause}: {evidence}" if evidence else cause) + tried

    @property
    def amount(self) -> str:
        """How much is missing, in the unit of the kind."""
        if self.missing is None:
            return ""
        return f"{self.missing:,} {_UNITS[self.gap.kind][self.missing != 1]}"


def gaps_file(file: Path, plugins: tuple[Path, ...], every: bool, as_json: bool) -> int:
    """Print the gaps of a pipeline's ledger; return 1 if some are open, else 0."""
    try:
        config = load(file, plugin_files=plugins).config
        with ledger_of(config) as ledger:
            gaps = ledger.gaps(every) if ledger is not None else []
            found = spans(gaps, functools.cache(functools.partial(named, config)))
    except WerksError as error:
        return refuse(error, as_json)
    counted = sum(span.counts for span in found)
    if as_json:
        told = {"pipeline": config.settings.name, "read": ledger is not None, "open": counted}
        click.echo(json.dumps(told | {"gaps": [_plain(span) for span in found]}, indent=2))
    elif ledger is None:
        click.echo(f"{config.settings.state}: there is no ledger yet: nothing has been read")
    else:
        _print(found)
    return 1 if counted else 0


def spans(gaps: Iterable[Gap], is_named: Callable[[Stream], bool]) -> list[Span]:
    """Return gaps, oldest first in each stream, as spans of equal consecutive days."""
    found: list[Span] = []
    latest: dict[tuple[Stream, str], Span] = {}
    for gap in gaps:
        missing = 1 if gap.kind == "day" else gap.missing
        span = latest.get((gap.stream, gap.kind))
        if span is not None and span.takes(gap):
            span.last, span.days = gap.day, span.days + 1
            span.attempts = max(span.attempts, gap.attempts)
            if missing is not None:
                span.missing = (span.missing or 0) + missing
        else:
            span = Span(gap, gap.day, 1, missing, gap.attempts, is_named(gap.stream))
            latest[gap.stream, gap.kind] = span
            found.append(span)
    return found


def _same(gap: Gap) -> tuple[Any, ...]:
    return gap.stream, gap.kind, gap.status, gap.cause, gap.evidence, gap.missing is None


def _plain(span: Span) -> dict[str, Any]:
    gap = span.gap
    return attrs.asdict(gap.stream) | {
        "kind": gap.kind,
        "status": gap.status,
        "first": str(gap.day),
        "last": str(span.last),
        "days": span.days,
        "missing": span.missing,
        "cause": gap.cause,
        "evidence": gap.evidence,
        "attempts": span.attempts,
        "named": span.named,
    }


def _print(found: list[Span]) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    rows = [_cells(span) for span in found]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for span, row in zip(found, rows, strict=True):
        # A line stays a line, for grep and for terminals that unfold it when they grow.
        console.print(_line(span, row, widths), soft_wrap=True)
    console.print(_sum(found), soft_wrap=True)


def _cells(span: Span) -> tuple[str, ...]:
    gap = span.gap
    name = f"{gap.stream} {gap.stream.component}"
    return tuple(one_line(each) for each in (gap.status, gap.kind, name, span.when, span.amount))


def _line(span: Span, row: tuple[str, ...], widths: list[int]) -> "Text":
    from rich.text import Text

    status, *middle, amount = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
    left = " (no longer in the file)" if not span.named else ""
    return Text.assemble(
        (status, _STYLES.get(span.gap.status, "green") if span.named else "dim"),
        f"  {'  '.join(middle)}  {amount.strip().rjust(len(amount))}  {span.why}",
        (left, "dim"),
    )


def _sum(found: list[Span]) -> str:
    return f"open: {in_words(found)}" if any(span.counts for span in found) else "no gap is open"


def in_words(found: Iterable[Span]) -> str:
    """Return how much is missing in the gaps that count, by kind; empty if there are none."""
    amounts: dict[str, list[int | None]] = {}
    for span in found:
        if span.counts:
            amounts.setdefault(span.gap.kind, []).append(span.missing)
    return ", ".join(_amount(kind, each) for kind, each in amounts.items())


def _amount(kind: str, missing: list[int | None]) -> str:
    words = {"day": "{} that cannot be had", "ids": "{}", "mismatch": "{} unlike the candles"}
    known = [count for count in missing if count is not None]
    some = f"{sum(known):,} {_UNITS[kind][sum(known) != 1]}" if known else ""
    unknown = f"an unknown number of {_UNITS[kind][1]}" if len(known) < len(missing) else ""
    return words[kind].format(" and ".join(filter(None, (some, unknown))))


def one_line(text: str) -> str:
    """Return text of foreign origin as one line without control characters."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))
