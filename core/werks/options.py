"""From plain values of a file to the options of a component, every problem at once."""

import difflib
import math
import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import attrs
from cattrs import Converter

from .errors import FOREIGN, WerksError, foreign

Amount = str | int | Decimal


class Secret(str):
    """Text that came from the environment; its repr shows nothing of it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<from the environment>"


def structure(cls: type, values: Mapping[str, Any]) -> tuple[Any, list[tuple[str, str]]]:
    """Return (component, []) or (None, problems); a problem is (option, what is wrong with it)."""
    fields = {field.name: field for field in attrs.fields(attrs.resolve_types(cls))}
    problems = [(name, unknown(name, list(fields))) for name in values if name not in fields]
    given: dict[str, Any] = {}
    for name, field in fields.items():
        if name in values:
            try:
                given[name] = _converter().structure(resolved(values[name]), field.type)
            except (TypeError, ValueError, KeyError) as error:
                problems.append((name, str(error.args[0] if error.args else error)))
        elif field.default is attrs.NOTHING:
            problems.append((name, "this option is required"))
    if problems:
        return None, problems
    try:
        return cls(**given), []
    except (TypeError, ValueError, WerksError) as error:
        said = str(error.args[0] if error.args else error)
        name, _, what = said.partition(": ")
        return None, [(name, what) if name in fields else ("", said)]
    except FOREIGN as error:  # foreign code
        return None, [("", str(foreign(cls.__name__, error)))]


def resolved(value: Any) -> Any:
    """Return a value with every `env:NAME` in it replaced by what the environment holds."""
    if isinstance(value, dict):
        return {key: resolved(item) for key, item in value.items()}
    if isinstance(value, list):
        return [resolved(item) for item in value]
    if isinstance(value, str) and value.startswith("env:"):
        name = value.removeprefix("env:")
        if name not in os.environ:
            raise ValueError(f"the environment variable {name} is not set")
        return Secret(os.environ[name])
    return value


def words(kind: Any) -> str:
    """Return a type in the words that a user would use for it."""
    if get_origin(kind) is Literal:
        return " | ".join(f'"{choice}"' for choice in get_args(kind))
    plain: dict[Any, str] = {
        str: "text",
        int: "a whole number",
        bool: "true or false",
        Path: "a path",
    }
    plain |= {Decimal: "a number", date: "a date", Amount: "a number or a duration"}
    plain[float] = "a number"
    if kind in plain:
        return plain[kind]
    arguments = [words(part) for part in get_args(kind) if part is not NoneType]
    if get_origin(kind) in (tuple, list):
        return f"a list, each {arguments[0]}"
    if get_origin(kind) in (dict, Mapping) or kind is dict:
        return "a table"
    return " or ".join(arguments) or getattr(kind, "__name__", str(kind))


def unknown(name: str, known: Sequence[str]) -> str:
    """Say that there is no such option, and which one was probably meant."""
    return f"there is no such option; {nearest(name, known)}"


def nearest(word: str, known: Sequence[str]) -> str:
    """Return the known word that was probably meant, or all of them."""
    near = difflib.get_close_matches(word, known, 1)
    return f'did you mean "{near[0]}"?' if near else f"there are: {', '.join(known) or 'none'}"


_DURATION = re.compile(r"(\d+)(s|m|h|d|w)")
_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST = 36_500 * _UNIT["d"]  # a century; times in nanoseconds end in 2262


def duration(text: Any, name: str) -> int:
    """Return a duration (1s, 5m, 4h, 1d, 1w) in nanoseconds; ValueError names the option."""
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    seconds = int(found[1]) * _UNIT[found[2]] if found else 0
    if not 0 < seconds <= _LONGEST:
        raise ValueError(f'{name}: a duration like "1m", "4h" or "1d" is expected, not {text!r}')
    return seconds * 10**9


_AGO = re.compile(r"-(\d+)([dhm])")


def moment(given: Any, now: datetime) -> datetime:
    """Return a day, a time (UTC if it names no zone) or -7d before now; ValueError if it is none.

    Days ago are whole days: they begin at midnight.
    """
    try:
        found = _AGO.fullmatch(given) if isinstance(given, str) else None
        if found:
            ago = now - timedelta(seconds=int(found[1]) * _UNIT[found[2]])
            day = {"hour": 0, "minute": 0, "second": 0, "microsecond": 0}
            return ago.replace(**day) if found[2] == "d" else ago  # type: ignore[arg-type]
        if isinstance(given, date) and not isinstance(given, datetime):
            return datetime(given.year, given.month, given.day, tzinfo=UTC)
        time = datetime.fromisoformat(given) if isinstance(given, str) else given
        if isinstance(time, datetime):
            return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        pass  # said below, with all other things that are no moment
    said = repr(given) if isinstance(given, str) else str(given)
    raise ValueError(f'a day like 2024-05-01 or "-7d" is expected, not {said}')


_STRICT: list[Converter] = []


def _converter() -> Converter:
    """Return the one converter; it takes values as they are and never turns text into numbers."""
    if not _STRICT:
        converter = Converter(forbid_extra_keys=True, detailed_validation=False)
        for kind in (str, int, bool, float, Decimal, date, Path):
            converter.register_structure_hook(kind, _take(kind))
        converter.register_structure_hook_func(_is_amount, _take(Amount))
        converter.register_structure_hook_func(_is_choice, _choice)
        converter.register_structure_hook_func(_is_table, _table)
        converter.register_structure_hook_func(_is_list, _list)
        _STRICT.append(converter)
    return _STRICT[0]


def _is_amount(kind: Any) -> bool:
    return bool(kind == Amount)


def _take(kind: Any) -> Any:
    accepted: Any = {
        Path: str,
        float: (int, float, Decimal),
        Decimal: (int, Decimal),
        Amount: (str, int, Decimal),
    }.get(kind, kind)

    def take(value: Any, _: Any) -> Any:
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            raise TypeError(f"{words(kind)} is expected, not {value!r}")
        if isinstance(value, float | Decimal) and not math.isfinite(value):
            raise TypeError(f"{words(kind)} is expected, not {value}")
        if kind is Path:
            return Path(value).expanduser()
        return kind(value) if kind in (Decimal, float) else value

    return take


def _is_choice(kind: Any) -> bool:
    origin: Any = get_origin(kind)
    return origin is Literal


def _is_list(kind: Any) -> bool:
    return get_origin(kind) in (tuple, list)


def _list(value: Any, kind: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise TypeError(f"a list is expected, not {value!r}")
    item = get_args(kind)[0]
    return get_origin(kind)(_converter().structure(each, item) for each in value)


def _is_table(kind: Any) -> bool:
    return get_origin(kind) in (dict, Mapping)


def _table(value: Any, kind: Any) -> dict[Any, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"a table is expected, not {value!r}")
    item = get_args(kind)[1]
    return {name: _converter().structure(each, item) for name, each in value.items()}


def _choice(value: Any, kind: Any) -> Any:
    if value not in get_args(kind):
        raise ValueError(f"must be one of {words(kind)}, not {value!r}")
    return value
