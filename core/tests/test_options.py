"""From plain values to components: nothing is guessed, every problem is said at once."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Literal

import attrs
import pytest

from werks.components import option
from werks.errors import ConfigError
from werks.options import Amount, Secret, duration, resolved, structure, words

NAN = float("nan")


@attrs.frozen
class Everything:
    """One option of each type."""

    text: str = option("", help="text")
    whole: int = option(0, help="a whole number", validator=attrs.validators.ge(0))
    yes: bool = option(False, help="true or false")
    real: float = option(0.0, help="a float")
    number: Decimal | None = option(None, help="a number")
    day: date | None = option(None, help="a day")
    path: Path = option(Path(), help="a path")
    amount: Amount = option(1, help="an amount")
    word: Literal["one", "two"] = option("one", help="a word")
    names: tuple[str, ...] = option((), help="names")
    days: list[date] = option(attrs.Factory(list), help="days")
    table: dict[str, int] | None = option(None, help="a table")
    perhaps: int | None = option(None, help="a number or nothing")


@attrs.frozen
class Needy:
    """Two options that must be given, and a rule for both."""

    one: int = option(help="one")
    other: int = option(help="other")

    def __attrs_post_init__(self) -> None:
        if self.one > self.other:
            raise ConfigError(["one: it must not be above other"])


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("text", "x", "x"),
        ("whole", 3, 3),
        ("yes", True, True),
        ("real", 2.5, 2.5),
        ("real", Decimal("2.5"), 2.5),
        ("real", 3, 3.0),
        ("number", 3, Decimal(3)),
        ("number", Decimal("0.1"), Decimal("0.1")),
        ("day", date(2024, 5, 1), date(2024, 5, 1)),
        ("path", "a/b", Path("a/b")),
        ("amount", "1m", "1m"),
        ("amount", 5, 5),
        ("amount", Decimal("0.5"), Decimal("0.5")),
        ("word", "two", "two"),
        ("names", ["a", "b"], ("a", "b")),
        ("names", [], ()),
        ("days", [date(2024, 5, 1)], [date(2024, 5, 1)]),
        ("table", {"a": 1}, {"a": 1}),
        ("perhaps", 5, 5),
    ],
)
def test_values_are_taken_as_they_are(name, value, expected):
    made, problems = structure(Everything, {name: value})
    assert problems == []
    assert getattr(made, name) == expected
    assert type(getattr(made, name)) is type(expected)


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("text", 5, "text is expected, not 5"),
        ("whole", "5", "a whole number is expected, not '5'"),
        ("whole", Decimal("5.5"), "a whole number is expected, not Decimal('5.5')"),
        ("whole", True, "a whole number is expected, not True"),
        ("yes", "false", "true or false is expected, not 'false'"),
        ("yes", 1, "true or false is expected, not 1"),
        ("real", "2.5", "a number is expected, not '2.5'"),
        ("real", NAN, "a number is expected, not nan"),
        ("real", False, "a number is expected, not False"),
        ("number", "0.1", "a number is expected, not '0.1'"),
        ("number", 0.1, "a number is expected, not 0.1"),
        ("number", Decimal("-inf"), "a number is expected, not -Infinity"),
        ("day", "2024-05-01", "a date is expected, not '2024-05-01'"),
        ("path", 5, "a path is expected, not 5"),
        ("amount", None, "a number or a duration is expected, not None"),
        ("amount", 0.5, "a number or a duration is expected, not 0.5"),
        ("word", "three", 'must be one of "one" | "two", not \'three\''),
        ("word", ["one"], 'must be one of "one" | "two", not [\'one\']'),
        ("names", "abc", "a list is expected, not 'abc'"),
        ("names", {"a": 1}, "a list is expected, not {'a': 1}"),
        ("names", ["a", 5], "text is expected, not 5"),
        ("table", "abc", "a table is expected, not 'abc'"),
        ("table", ["a"], "a table is expected, not ['a']"),
        ("table", {"a": "1"}, "a whole number is expected, not '1'"),
        ("perhaps", "x", "a whole number is expected, not 'x'"),
    ],
)
def test_values_of_another_type_are_refused(name, value, problem):
    assert structure(Everything, {name: value}) == (None, [(name, problem)])


def test_every_problem_is_said():
    made, problems = structure(Everything, {"txt": 1, "whole": "x", "yes": "y", "real": 1})
    assert made is None
    assert [name for name, _ in problems] == ["txt", "whole", "yes"]


def test_options_that_must_be_given_are_named():
    expected = [("one", "this option is required"), ("other", "this option is required")]
    assert structure(Needy, {}) == (None, expected)


def test_a_misspelt_option_is_guessed():
    _, problems = structure(Everything, {"hole": 1})
    assert problems == [("hole", 'there is no such option; did you mean "whole"?')]
    _, problems = structure(Needy, {"one": 1, "other": 2, "qqq": 1})
    assert problems == [("qqq", "there is no such option; there are: one, other")]


def test_what_a_component_itself_refuses_is_a_problem():
    expected = (None, [("one", "it must not be above other")])
    assert structure(Needy, {"one": 2, "other": 1}) == expected
    made, problems = structure(Everything, {"whole": -1})
    assert made is None
    assert "'whole' must be >= 0" in problems[0][1]


class TestEnvironment:
    def test_a_value_is_taken_from_it(self, monkeypatch):
        monkeypatch.setenv("WERKS_TEST", "hunter2")
        made, problems = structure(Everything, {"text": "env:WERKS_TEST"})
        assert problems == []
        assert made.text == "hunter2"

    def test_it_is_never_shown(self, monkeypatch):
        monkeypatch.setenv("WERKS_TEST", "hunter2")
        made, _ = structure(Everything, {"text": "env:WERKS_TEST"})
        assert "hunter2" not in repr(made)
        _, problems = structure(Everything, {"whole": "env:WERKS_TEST"})
        assert problems == [("whole", "a whole number is expected, not <from the environment>")]
        _, problems = structure(Everything, {"word": "env:WERKS_TEST"})
        assert "hunter2" not in str(problems)

    def test_it_is_looked_for_in_lists_and_tables(self, monkeypatch):
        monkeypatch.setenv("WERKS_TEST", "x")
        given = {"a": ["env:WERKS_TEST", 1], "b": {"c": "env:WERKS_TEST"}, "d": "env"}
        assert resolved(given) == {"a": ["x", 1], "b": {"c": "x"}, "d": "env"}
        assert isinstance(resolved("env:WERKS_TEST"), Secret)

    def test_a_variable_that_is_not_set_is_named(self, monkeypatch):
        monkeypatch.delenv("WERKS_TEST", raising=False)
        _, problems = structure(Everything, {"text": "env:WERKS_TEST"})
        assert problems == [("text", "the environment variable WERKS_TEST is not set")]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("90s", 90), ("5m", 300), ("4h", 14_400), ("1d", 86_400), ("2w", 1_209_600)],
)
def test_durations_are_read(text, seconds):
    assert duration(text, "every") == seconds * 10**9


@pytest.mark.parametrize(
    "text",
    [
        "",
        "m",
        "1",
        "0s",
        "-1m",
        "1.5h",
        "1 m",
        "1M",
        "1ms",
        "1m ",
        "36501d",
        "9" * 40 + "w",
        60,
        None,
    ],
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(
        ValueError, match=r'^every: a duration like "1m", "4h" or "1d" is expected, not'
    ):
        duration(text, "every")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (str, "text"),
        (int, "a whole number"),
        (bool, "true or false"),
        (float, "a number"),
        (Decimal | None, "a number"),
        (date, "a date"),
        (Path, "a path"),
        (Amount, "a number or a duration"),
        (Literal["a", "b"], '"a" | "b"'),
        (dict[str, int], "a table"),
        (Mapping[str, int], "a table"),
        (int | str, "a whole number or text"),
    ],
)
def test_types_are_put_into_words(kind, expected):
    assert words(kind) == expected


@pytest.mark.parametrize("kind", [tuple[str, ...], list[str]])
def test_a_list_is_called_a_list(kind):
    assert words(kind).startswith("a list")
