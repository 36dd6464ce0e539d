"""A row of months, a character a day, readable without colours too."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from werks.pipeline.coverage import MARKS, CoveredDay, Mark

if TYPE_CHECKING:
    from rich.text import Text

GLYPHS: dict[Mark, tuple[str, str]] = {
    "verified": ("■", "green"),
    "unverified": ("□", "green"),
    "part": ("◧", "cyan"),
    "mismatch": ("≠", "yellow"),
    "gap": ("!", "bold red"),
    "missing": ("×", "bold red"),
    "waiting": ("·", "dim"),
}
_LABEL, _MONTH, _BETWEEN = 8, 31, 2
_NUMBERED = (1, 5, 10, 15, 20, 25, 30)


def draw(days: Sequence[CoveredDay], width: int) -> "Text":
    """Return the months of days, as many beside each other as fit into so many columns."""
    from rich.text import Text

    months = [_month(list(of)) for _, of in groupby(days, lambda each: each.day.replace(day=1))]
    beside = max(1, (width + _BETWEEN) // (_LABEL + _MONTH + _BETWEEN))
    between = Text(" " * _BETWEEN)
    lines = [between.join([_numbers()] * min(beside, len(months)))]
    lines += [between.join(months[at : at + beside]) for at in range(0, len(months), beside)]
    for line in lines:
        line.rstrip()
    return Text("\n").join(lines)


def legend(marks: Iterable[Mark]) -> "Text":
    """Return a line for each mark that occurs: its character, its name and what it means."""
    from rich.text import Text

    seen = set(marks)
    lines = [
        Text.assemble(GLYPHS[mark], f" {mark:<10}  ", (words, "dim"))
        for mark, words in MARKS.items()
        if mark in seen
    ]
    return Text("\n").join(lines)


def _numbers() -> "Text":
    from rich.text import Text

    line = " " * (_LABEL + _MONTH)
    for day in _NUMBERED:
        at = _LABEL + day - 1
        line = line[:at] + str(day) + line[at + len(str(day)) :]
    return Text(line, style="dim")


def _month(days: Sequence[CoveredDay]) -> "Text":
    from rich.text import Text

    text = Text(f"{days[0].day:%Y-%m} ")
    for each in days:
        glyph, style = GLYPHS[each.mark]
        text.append(" " * (_LABEL + each.day.day - 1 - len(text)))
        text.append(glyph, style)
    text.append(" " * (_LABEL + _MONTH - len(text)))
    return text
