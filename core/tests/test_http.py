"""Requests are tried again as their failures ask for, and every failure names its address."""

import logging
import socket

import pytest

from werks.archive import hrefs
from werks.errors import MissingError, RateLimitError, RejectedError, UnavailableError
from werks.http import Http


@pytest.fixture
def slept() -> list[float]:
    """Return the pauses that the client makes, without those of no length."""
    return []


@pytest.fixture
def client(slept):
    """Return a client that tries four times and only takes note of its pauses."""
    with Http(tries=4, sleep=lambda s: slept.append(s) if s > 0 else None) as http:
        yield http


def test_a_body_is_text(client, loopback, slept):
    url = loopback.put("a b/ö.txt", "grün\n".encode(), {"Content-Type": "text/plain"})
    assert client.text(url) == "grün\n"
    assert slept == []


def test_a_query_is_sent(client, loopback):
    url = loopback.answer("list", lambda query: repr(sorted(query.items())).encode())
    assert client.text(url, prefix="a b&c", page="2") == "[('page', '2'), ('prefix', 'a b&c')]"


def test_a_download_is_the_bytes_as_they_are(client, loopback, tmp_path):
    body = bytes(range(256)) * 20_000
    url = loopback.put("day.csv.gz", body, {"Content-Encoding": "gzip"})
    client.download(url, tmp_path / "day")
    assert (tmp_path / "day").read_bytes() == body


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_that_fails_is_asked_again_after_growing_pauses(client, loopback, slept, status):
    url = loopback.put("day", b"here")
    loopback.fail("day", status, times=3)
    assert client.text(url) == "here"
    assert loopback.asked("day") == 4
    assert slept == [pytest.approx(pause, rel=0.21) for pause in (1, 2, 4)]


def test_a_server_that_keeps_failing_is_given_up(client, loopback, slept):
    url = loopback.put("day", b"here")
    loopback.fail("day", 503, times=9)
    with pytest.raises(UnavailableError) as raised:
        client.text(url)
    assert str(raised.value) == f"{url}: the server failed (HTTP 503)"
    assert (loopback.asked("day"), len(slept)) == (4, 3)


@pytest.mark.parametrize("status", [429, 418])
def test_too_many_requests_wait_as_they_are_told(client, loopback, slept, status):
    url = loopback.put("day", b"here")
    loopback.fail("day", status, retry_after=17)
    assert client.text(url) == "here"
    assert slept == [pytest.approx(17, abs=5)]


@pytest.mark.parametrize("header", [None, "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_wait_that_is_not_told_in_seconds_is_a_minute(client, loopback, slept, header):
    url = loopback.put("day", b"here")
    loopback.fail("day", 429, retry_after=header)
    assert client.text(url) == "here"
    assert slept == [pytest.approx(60, abs=5)]


def test_a_wait_holds_for_the_whole_host(client, loopback, slept):
    loopback.put("one", b"1")
    loopback.put("two", b"2")
    loopback.fail("one", 429, times=4, retry_after=30)
    with pytest.raises(RateLimitError, match=r"/one: too many requests \(HTTP 429\)$"):
        client.text(f"{loopback.url}/one")
    slept.clear()
    assert client.text(f"{loopback.url}/two") == "2"
    assert slept == [pytest.approx(30, abs=5)]


def test_a_wait_that_is_too_long_is_given_up_at_once(client, loopback, slept):
    url = loopback.put("day", b"here")
    loopback.fail("day", 429, retry_after=86_400)
    with pytest.raises(RateLimitError) as raised:
        client.text(url)
    assert raised.value.wait == 86_400
    assert (loopback.asked("day"), slept) == (1, [])


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (404, MissingError, "there is nothing at this address (HTTP 404)"),
        (400, RejectedError, "refused (HTTP 400)"),
        (403, RejectedError, "refused (HTTP 403)"),
        (451, RejectedError, "refused (HTTP 451)"),
    ],
)
def test_what_is_refused_is_not_asked_again(client, loopback, slept, status, error, said):
    url = loopback.put("day", b"here")
    loopback.fail("day", status)
    with pytest.raises(error) as raised:
        client.text(url)
    assert type(raised.value) is error
    assert str(raised.value) == f"{url}: {said}"
    assert (loopback.asked("day"), slept) == (1, [])


def test_a_redirection_that_leads_nowhere_is_an_error(client, loopback):
    loopback.fail("gone", 301, times=4)
    with pytest.raises(UnavailableError, match="HTTP 301"):
        client.text(f"{loopback.url}/gone")


@pytest.mark.parametrize("after", [0, 1, 500_000])
def test_a_download_that_breaks_off_is_begun_again(client, loopback, tmp_path, slept, after):
    body = b"x" * 1_000_000
    url = loopback.put("day", body)
    loopback.cut("day", after, times=2)
    client.download(url, tmp_path / "day")
    assert (tmp_path / "day").read_bytes() == body
    assert (loopback.asked("day"), len(slept)) == (3, 2)


def test_a_download_that_always_breaks_off_is_an_error(client, loopback, tmp_path):
    url = loopback.put("day", b"x" * 1000)
    loopback.cut("day", 10, times=4)
    with pytest.raises(UnavailableError, match=rf"^{url}: "):
        client.download(url, tmp_path / "day")


@pytest.fixture
def closed() -> str:
    """Return an address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}/day"


def test_a_server_that_is_not_there_is_named(client, closed, slept):
    with pytest.raises(UnavailableError, match=rf"^{closed}: .*refused"):
        client.text(closed)
    assert len(slept) == 3


@pytest.mark.parametrize("url", ["http://", "ftp://x.example/day", "http://x.example:port/day"])
def test_an_address_that_cannot_be_is_not_tried_twice(client, slept, url):
    with pytest.raises(RejectedError, match=rf"^{url}: not a URL"):
        client.text(url)
    assert slept == []


def test_a_name_that_nobody_knows_is_named(client):
    url = "http://no-such-host.invalid/day"
    with pytest.raises(UnavailableError, match=rf"^{url}: "):
        client.text(url)


def test_the_query_is_neither_logged_nor_part_of_an_error(client, loopback, caplog):
    caplog.set_level(logging.INFO)
    logging.getLogger("httpx").setLevel(logging.INFO)
    url = loopback.put("day", b"here")
    assert client.text(url, key="hunter2") == "here"
    with pytest.raises(MissingError) as raised:
        client.text(f"{loopback.url}/nothing", key="hunter2")
    assert "hunter2" not in caplog.text + str(raised.value)


def test_a_client_is_used_again_after_it_was_closed(loopback):
    url = loopback.put("day", b"here")
    http = Http(tries=1)
    for _ in range(2):
        with http:
            assert http.text(url) == "here"


def test_a_folder_of_this_machine_is_a_page_of_links(client, tmp_path):
    for name in ("b c.csv", "a&b.csv", "ö.csv"):
        (tmp_path / name).write_text("text")
    (tmp_path / "sub").mkdir()
    assert hrefs(client.text(f"{tmp_path.as_uri()}/")) == ["a&b.csv", "b c.csv", "sub", "ö.csv"]
    assert client.text((tmp_path / "ö.csv").as_uri()) == "text"
    with pytest.raises(MissingError, match=rf"^{tmp_path}/none: there is no such file or folder$"):
        client.text(f"{tmp_path.as_uri()}/none")
