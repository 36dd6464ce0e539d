"""The rules of how REST doors ask can fail: each is broken by words that are wrong in one way."""

from typing import Any

import msgspec
import pytest

from werks.errors import MissingError, RejectedError, UnavailableError
from werks.testing import CandleTests, HistoryTests, SnapshotTests
from werks_sim import History, rest


def _hasty(status, body):
    return UnavailableError("slow down") if status == 429 else None


def _stern(status, body):
    return RejectedError("no") if status >= 500 else None


def _strict(status, body):
    try:
        return None if msgspec.json.decode(body) is not None else RejectedError("nothing")
    except msgspec.DecodeError:
        return MissingError("no JSON")


@pytest.mark.parametrize(
    ("rule", "given", "wrong"),
    [
        ("test_a_wait_is_kept", {}, _hasty),
        ("test_a_server_that_fails_is_asked_again", {"status": 503}, _stern),
        ("test_an_answer_that_cannot_be_read_is_named_and_kept", {"spoil": "html"}, _strict),
        ("test_an_answer_that_cannot_be_read_is_named_and_kept", {"spoil": "null"}, _strict),
    ],
)
def test_a_plugin_that_reads_too_much_out_of_errors_is_found(
    trades, monkeypatch, rule, given, wrong
):
    trades().run(rule, **given)
    monkeypatch.setattr(rest, "refusal", wrong)
    with pytest.raises((AssertionError, RejectedError)):
        trades().run(rule, **given)


def test_requests_without_a_limit_are_found(trades, monkeypatch):
    trades().run("test_each_request_says_what_it_weighs")
    monkeypatch.setattr(rest, "LIMIT", None)
    with pytest.raises(AssertionError):
        trades().run("test_each_request_says_what_it_weighs")


class _Loose(msgspec.Struct):
    rows: list[Any]


class _Floats(msgspec.Struct):
    rows: list[dict[str, float | int | str]]


@pytest.mark.parametrize("kind", [_Loose, _Floats, Any, dict[str, list[Any]]])
def test_a_type_that_makes_floats_is_found(trades, kind):
    class Careless:
        schema = History.schema

        def read(self, http, symbol, after, until):
            query = {"symbol": symbol, "start": "0"}
            url = f"{trades().loopback.url}/trades"
            http.json(rest.Request(url, query), kind)
            return iter(())

    case = trades()
    case.run("test_no_number_passes_through_a_float")
    case.door = Careless()
    case.door.exchange, case.door.continuity = "sim", "contiguous"
    with pytest.raises(AssertionError, match=r"FloatType|AnyType"):
        case.run("test_no_number_passes_through_a_float")


@pytest.mark.parametrize("kit", [HistoryTests, CandleTests, SnapshotTests])
def test_what_a_subclass_must_give_is_said(kit):
    bare = type("Bare", (kit,), {})
    with pytest.raises(NotImplementedError, match="Bare must give door"):
        bare().door("http://127.0.0.1")
    with pytest.raises(NotImplementedError, match="Bare must give publish"):
        bare().publish(None)


def test_a_rule_cannot_be_overridden_in_silence():
    class Silent(CandleTests):
        def test_a_wait_is_kept(self):
            pass

    class Said(CandleTests):
        @pytest.mark.xfail(reason="the exchange does not say how long")
        def test_a_wait_is_kept(self):
            pass

    Said().test_a_rule_is_overridden_only_with_a_reason()
    with pytest.raises(AssertionError, match="test_a_wait_is_kept is overridden"):
        Silent().test_a_rule_is_overridden_only_with_a_reason()
