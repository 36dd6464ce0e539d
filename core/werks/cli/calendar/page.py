"""The coverage as one HTML page that holds all it needs and asks the network for nothing."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from html import escape
from importlib import resources
from string import Template

from werks.cli.calendar.strip import day_svg, strip
from werks.cli.calendar.totals import RESULTS, Totals
from werks.pipeline.coverage import MARKS

_HEAD = ("stream", "days", "gaps", "first", "last", "read", "rows", "archive", "REST", *RESULTS)
_MOST_LISTED = 200


def page(found: Sequence[Totals], title: str, now: datetime) -> str:
    """Return a page with the totals of all streams, and a calendar of each."""
    static = resources.files(__package__) / "static"
    template = Template((static / "page.html").read_text(encoding="utf-8"))
    legend = (f"<li>{day_svg(mark)}{mark}: {escape(words)}</li>" for mark, words in MARKS.items())
    return template.substitute(
        title=escape(title),
        when=f"as of {now:%Y-%m-%d %H:%M} UTC",
        legend="\n".join(legend),
        head="".join(f"<th>{name}</th>" for name in _HEAD),
        rows="\n".join(_row(number, totals) for number, totals in enumerate(found)),
        sections="\n".join(_section(number, totals) for number, totals in enumerate(found)),
    )


def _row(number: int, totals: Totals) -> str:
    cells = [
        _share(totals),
        f"{len(totals.covered.gaps):,}",
        str(totals.first or "–"),
        str(totals.last or "–"),
        *(f"{n:,}" for n in (totals.windows, totals.rows)),
        *(f"{totals.doors[door]:,}" for door in ("archive", "rest")),
        *(f"{totals.results[result]:,}" for result in RESULTS),
    ]
    name = f'<td><a href="#s{number}">{escape(totals.name)}</a></td>'
    return f"<tr>{name}{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _share(totals: Totals) -> str:
    """Return how many days there are of each mark, as a bar."""
    marks = {mark: totals.covered.marks[mark] for mark in MARKS if totals.covered.marks[mark]}
    parts = (f'<i class="{mark}" style="flex:{count}"></i>' for mark, count in marks.items())
    return f'<div class="share" title="{_counts(totals)}">{"".join(parts)}</div>'


def _counts(totals: Totals) -> str:
    marks = totals.covered.marks
    return ", ".join(f"{marks[mark]:,} {mark}" for mark in MARKS if marks[mark])


def _section(number: int, totals: Totals) -> str:
    named = "" if totals.covered.named else ' <span class="quiet">(no longer in the file)</span>'
    counts = _counts(totals) or "no day is wanted yet"
    return "\n".join(
        [
            f'<section id="s{number}">',
            f"<h2>{escape(totals.name)}{named}</h2>",
            f'<p class="quiet">{counts}</p>',
            *_strip(totals, counts),
            *(f"<p>{escape(line)}</p>" for line in totals.words()),
            *_gaps(totals),
            "</section>",
        ]
    )


def _strip(totals: Totals, counts: str) -> Iterator[str]:
    if totals.drawn:
        label = escape(f"{totals.name}: {counts}")
        yield f'<div class="scroll">{strip(totals.drawn, label)}</div>'


def _gaps(totals: Totals) -> Iterator[str]:
    """Yield the gaps as a list to unfold."""
    if not totals.gaps:
        return
    yield "<details><summary>gaps</summary><ul>"
    for span in totals.gaps[:_MOST_LISTED]:
        words = f"{span.when}: {span.gap.status}: {span.amount}: {span.why}"
        yield f"<li>{escape(words)}</li>"
    if len(totals.gaps) > _MOST_LISTED:
        yield f"<li>and {len(totals.gaps) - _MOST_LISTED:,} more: werks gaps lists all</li>"
    yield "</ul></details>"
