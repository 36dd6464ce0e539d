"""JSON is asked for with a limit, read exactly, and kept aside where it cannot be read."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from werks.components import RateLimit, Request
from werks.errors import (
    MessageError,
    MissingError,
    RateLimitError,
    RejectedError,
    UnavailableError,
)
from werks.http import Http


class Row(msgspec.Struct):
    price: Decimal
    size: str


@pytest.fixture
def slept():
    """Return the pauses that the client makes, without those of no length."""
    return []


@pytest.fixture
def aside(tmp_path):
    """Return the folder for answers that cannot be read; it is made when it is needed."""
    return tmp_path / "deep" / "aside"


@pytest.fixture
def client(slept, aside):
    """Return a client that tries three times and only takes note of its pauses."""
    with Http(3, lambda s: slept.append(s) if s > 0 else None, aside) as http:
        yield http


def _put(loopback, body, status=200, headers=None):
    return loopback.answer("rows", lambda _: (status, body, headers or {}))


def test_numbers_are_as_they_were_written(client, loopback):
    url = _put(loopback, b'[{"price":0.1000000000000000055511151231257827,"size":"1.50"}]')
    (row,) = client.json(Request(url), list[Row])
    assert row.price == Decimal("0.1000000000000000055511151231257827")
    assert row.size == "1.50"


def test_query_and_headers_are_sent(client, loopback):
    url = loopback.answer("rows", lambda query: repr(query["symbol"]).replace("'", '"').encode())
    assert client.json(Request(url, {"symbol": "A/B C"}), str) == "A/B C"


@pytest.mark.parametrize(
    "body",
    [
        *(b"<html>502</html>", b'[{"price":1,"size":"2"}', b"", b"null", b'{"price":1}'),
        *(b'[{"price":"x","size":"2"}]', b'[{"price":1}]', b"[{}]", b'["\xff"]', b"\x1f\x8b"),
    ],
)
def test_what_cannot_be_read_is_named_and_kept(client, loopback, slept, aside, body):
    url = _put(loopback, body)
    with pytest.raises(MessageError) as raised:
        client.json(Request(url, {"symbol": "BTC"}), list[Row])
    said = str(raised.value)
    (kept,) = aside.iterdir()
    assert said.startswith(f"{url}?symbol=BTC: cannot be read: ")
    assert said.endswith(f"; kept as {kept}")
    assert "\n" not in said
    assert kept.read_bytes() == f"GET {url}?symbol=BTC\n\n".encode() + body
    assert (loopback.asked("rows"), slept) == (1, [])


def test_each_answer_is_kept_once(client, loopback, aside):
    url = _put(loopback, b"[")
    for symbol in ("A", "B", "A"):
        with pytest.raises(MessageError):
            client.json(Request(url, {"symbol": symbol}), list[Row])
    assert len(list(aside.iterdir())) == 2


def test_nothing_is_kept_without_a_folder(http, loopback):
    with pytest.raises(MessageError) as raised:
        http.json(Request(_put(loopback, b"[")), list[Row])
    assert "kept" not in str(raised.value)


def test_a_folder_that_cannot_be_written_to_is_said(loopback, tmp_path):
    (tmp_path / "file").write_text("")
    with (
        Http(1, lambda _: None, tmp_path / "file") as client,
        pytest.raises(MessageError) as raised,
    ):
        client.json(Request(_put(loopback, b"[")), list[Row])
    assert "could not be kept as" in str(raised.value)


def test_a_key_is_in_no_error_and_in_no_file(client, loopback, aside):
    request = Request(_put(loopback, b"["), headers={"x-key": "s3cret"})
    with pytest.raises(MessageError) as raised:
        client.json(request, list[Row])
    assert "s3cret" not in str(raised.value) + repr(request)
    assert b"s3cret" not in next(aside.iterdir()).read_bytes()


def _words(status: int, body: bytes) -> Any:
    """Return what error bodies of a made-up exchange mean."""
    kinds = {b"symbol": MissingError, b"limit": RejectedError, b"busy": UnavailableError}
    if body == b"slow":
        return RateLimitError("slow down", 42.0)
    return kinds[body](f"it says {body.decode()} ({status})") if body in kinds else None


@pytest.mark.parametrize("status", [200, 400, 404, 500, 503])
@pytest.mark.parametrize(("body", "error"), [(b"symbol", MissingError), (b"limit", RejectedError)])
def test_a_refusal_in_the_exchanges_words_is_final(client, loopback, slept, status, body, error):
    url = _put(loopback, body, status)
    with pytest.raises(error, match=rf"it says {body.decode()} \({status}\)") as raised:
        client.json(Request(url), list[Row], _words)
    assert type(raised.value) is error
    assert (loopback.asked("rows"), slept) == (1, [])


@pytest.mark.parametrize("status", [200, 400, 500])
def test_an_exchange_that_says_it_is_busy_is_asked_again(client, loopback, slept, status):
    url = loopback.answer("rows", lambda _: (200, b"[]", {}) if slept else (status, b"busy", {}))
    assert client.json(Request(url), list[Row], _words) == []
    assert slept == [pytest.approx(1, rel=0.21)]


def test_an_exchange_that_says_how_long_is_kept_waiting(client, loopback, slept):
    url = loopback.answer("rows", lambda _: (200, b"[]", {}) if slept else (200, b"slow", {}))
    assert client.json(Request(url), list[Row], _words) == []
    assert slept[0] == pytest.approx(42, abs=5)


def test_a_header_that_asks_for_longer_than_the_body_is_kept(client, loopback, slept):
    late = {"Retry-After": "300"}
    url = loopback.answer("rows", lambda _: (200, b"[]", {}) if slept else (429, b"slow", late))
    assert client.json(Request(url), list[Row], _words) == []
    assert slept[0] == pytest.approx(300, abs=5)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *((404, MissingError), (400, RejectedError), (403, RejectedError), (451, RejectedError)),
        *((429, RateLimitError), (418, RateLimitError), (500, UnavailableError)),
    ],
)
def test_where_the_body_says_nothing_the_status_decides(client, loopback, aside, status, error):
    url = _put(loopback, b"<html>", status)
    for refusal in (None, _words):
        with pytest.raises(error) as raised:
            client.json(Request(url), list[Row], refusal)
        assert type(raised.value) is error
        assert str(raised.value).startswith(url)
    assert not aside.exists()


@pytest.mark.parametrize("after", [0, 2])
def test_an_answer_that_breaks_off_is_asked_for_again(client, loopback, slept, after):
    url = _put(loopback, b"[1,2,3]")
    loopback.cut("rows", after, times=2)
    assert client.json(Request(url), list[int]) == [1, 2, 3]
    assert (loopback.asked("rows"), len(slept)) == (3, 2)


def test_requests_wait_for_their_budget(client, loopback, slept):
    request = Request(_put(loopback, b"[]"), weight=5, limit=RateLimit(100, 3600))
    for _ in range(5):
        client.json(request, list[Row])
    # Twenty may be spent at once; eighty an hour come back.
    assert slept == [pytest.approx(5 * 3600 / 80, rel=0.01)]


def test_what_a_header_says_is_left_counts(client, loopback, slept):
    url = _put(loopback, b"[]", headers={"X-Left": "0"})
    request = Request(url, limit=RateLimit(100, 600, left="x-left"))
    client.json(request, list[Row])
    assert slept == []
    client.json(request, list[Row])
    assert max(slept) == pytest.approx(6, rel=0.1)
