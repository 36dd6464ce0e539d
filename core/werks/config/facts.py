"""What a door states of its exchange, looked at when it is made and not first when it is used."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from reprlib import repr as short
from typing import Any, get_args

import attrs
import pyarrow as pa

from ..components import Continuity, RateLimit
from ..errors import FOREIGN, PluginError, WerksError, foreign
from ..options import duration
from ..plugins import Plugins

_WEBSOCKET = re.compile(r"wss?://[^\s/]\S*", re.I)


@attrs.frozen
class _Fact:
    """A fact by its name, what is good, and what that is in words; None is good if it `may_be`."""

    name: str
    good: Callable[[Any], bool]
    words: str
    may_be: bool = False
    optional: bool = False


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _number(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and value > 0


def _whole(value: Any) -> bool:
    return _number(value) and isinstance(value, int)


def _span(value: Any) -> bool:
    return isinstance(value, timedelta)


def _pause(value: Any) -> bool:
    return _span(value) and bool(value >= timedelta(0))


def _lifetime(value: Any) -> bool:
    return _span(value) and bool(value > timedelta(0))


def _ping(value: Any) -> bool:
    pair = isinstance(value, tuple) and len(value) == 2
    return pair and _text(value[0]) and _number(value[1])


def _limit(value: Any) -> bool:
    return isinstance(value, RateLimit) and _number(value.weights) and _number(value.seconds)


def _words(value: Any) -> bool:
    return isinstance(value, Sequence) and not _text(value) and all(map(_text, value))


def _days(value: Any) -> bool:
    # A datetime is a date, too, but none that is equal to a day.
    return isinstance(value, Mapping) and all(
        isinstance(day, date) and not isinstance(day, datetime) and _text(why)
        for day, why in value.items()
    )


def _digits(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        _text(name) and isinstance(most, Decimal) for name, most in value.items()
    )


def _interval(value: Any) -> bool:
    """Tell whether text is a duration; what is no text is not asked for how far rows lie apart."""
    try:
        return not _text(value) or bool(duration(value, "interval"))
    except ValueError:
        return False


def _word(name: str, choices: Sequence[str]) -> _Fact:
    said = " | ".join(f'"{choice}"' for choice in choices)
    return _Fact(name, lambda value: _text(value) and value in choices, said)


def _method(name: str, optional: bool = False) -> _Fact:
    return _Fact(name, callable, "a method", optional=optional)


def _either(name: str, good: Callable[[Any], bool], words: str) -> _Fact:
    return _Fact(name, good, f"{words} or None", may_be=True)


def _optional(name: str, good: Callable[[Any], bool], words: str) -> _Fact:
    return _Fact(name, good, words, optional=True)


_SPAN, _FROM_0 = "a timedelta", "a timedelta from 0"
_REASON = "a text (empty: it can be used)"
_ALL = (
    _Fact("exchange", lambda value: _text(value) and bool(value.strip()), "the name of the market"),
    _Fact("schema", lambda value: isinstance(value, pa.Schema), "a schema of the rows"),
    _word("continuity", get_args(Continuity)),
    _optional("blind_spots", _words, "a sequence of texts"),
    _optional("changes", lambda value: isinstance(value, bool), "true or false"),
)
_ARCHIVE = (
    _Fact("lag", _span, _SPAN),
    _optional("known_missing", _days, "a mapping from days (date) to a reason (text)"),
    _method("files"),
    _method("read"),
    _method("content", optional=True),
    _method("recognises", optional=True),
)
_REST = (
    _either("reach", _span, _SPAN),
    _Fact("off", _text, _REASON),
    _method("read"),
    _optional("every", _pause, _FROM_0),
)
_SETTLED = _optional("settled", _pause, _FROM_0)
_CANDLES = (
    _word("opens", ("first", "previous")),
    _word("empty", ("omit", "carry")),
    _Fact("settled", _pause, _FROM_0),
    _optional("tolerance", _digits, "a mapping from fields (text) to a Decimal"),
)
_LIVE = (
    _either("ping", _ping, "a tuple (a text, every how many seconds it is sent)"),
    _Fact("most_symbols", _whole, "a whole number from 1"),
    _Fact("stale_after", _number, "a number of seconds above 0"),
    _either("connection_lifetime", _lifetime, f"{_SPAN} above 0"),
    _Fact("disorder", _pause, _FROM_0),
    _optional("off", _text, _REASON),
    _optional("sends_per_second", lambda value: not value or _number(value), "a number"),
    _optional("connects", lambda value: value is None or _limit(value), "a RateLimit above 0"),
    _optional("interval", _interval, 'a duration like "1m"'),
    _method("converse"),
)
_ADDRESS = "an address that begins with ws:// or wss://"
_URL = _Fact("url", lambda value: _text(value) and bool(_WEBSOCKET.fullmatch(value)), _ADDRESS)
_OF: Mapping[str, Sequence[_Fact]] = {
    "archive": (*_ALL, *_ARCHIVE),
    "rest": (*_ALL, *_REST, _SETTLED),
    "candles": (*_ALL, *_REST, *_CANDLES),
    "snapshot": (*_ALL, _method("read")),
    "live": (*_ALL, *_LIVE),
}


def problems(doors: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what is wrong with the facts of a source's doors, told as problems of options are.

    `candles` are a door by REST that minutes are compared with.
    """
    found = [what for kind, door in doors.items() for what in _of_door(kind, door)]
    return [("", what) for what in found or _differing(doors)]


def _of_door(kind: str, door: Any) -> Iterator[str]:
    address = [_URL] if kind == "live" and not _is_off(door) else []
    for fact in (*_OF[kind], *address):
        what = _wrong(fact, door)
        if what:
            yield f"{_named(kind, door)}: {what}"


def _differing(doors: Mapping[str, Any]) -> Iterator[str]:
    """Yield where doors are not of one market and one kind of rows."""
    (kind, first), *others = doors.items() or [("", None)]
    for other, door in others:
        for fact in ("exchange", "schema"):
            # All have been looked at: each is there. Schemas of two kinds differ in metadata, too.
            mine, theirs = getattr(first, fact), getattr(door, fact)
            same = mine == theirs if fact == "exchange" else mine.equals(theirs, True)
            if not same:
                both = f"{_named(kind, first)} and {_named(other, door)}"
                yield f'{both} state two of "{fact}": doors of one name give the same rows'


def _named(kind: str, door: Any) -> str:
    cls = type(door)
    return f"the {kind} door {cls.__module__.removeprefix('werks_file_')}.{cls.__qualname__}"


def _is_off(feed: Any) -> bool:
    """Tell whether a feed is not connected to, so that it needs no address."""
    try:
        return bool(getattr(feed, "off", ""))
    except FOREIGN:  # foreign code; it is said of the fact itself
        return True


def _wrong(fact: _Fact, door: Any) -> str:
    """Return what is wrong with a fact; empty if nothing is."""
    try:
        value = getattr(door, fact.name)
    except FOREIGN as error:  # foreign code, if it is a property
        if isinstance(error, AttributeError) and not hasattr(type(door), fact.name):
            return "" if fact.optional else f'it states no "{fact.name}": {fact.words} is expected'
        if isinstance(error, WerksError):
            return f'"{fact.name}": {"; ".join(str(error).splitlines())}'
        return str(foreign(f'"{fact.name}"', error))
    if (value is None and fact.may_be) or fact.good(value):
        return ""
    return f'"{fact.name}" is {short(value)}: {fact.words} is expected'


def hooks(observer: Any, plugins: Plugins) -> list[tuple[str, str]]:
    """Return what is wrong with the hooks of an observer; nothing is if it could not be made."""
    if observer is None:
        return []
    try:
        plugins.check_hooks(observer)
    except PluginError as error:
        return [("type", str(error))]
    return []
