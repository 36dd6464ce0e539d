"""What a server says that it has is found in the pages of its folders and buckets."""

import pytest

from werks.archive import hrefs, s3_keys
from werks.errors import MessageError, MissingError


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ('<a href="BTCUSD2024-01-01.csv.gz">x</a>', ["BTCUSD2024-01-01.csv.gz"]),
        ('<li><a href="/trading/BTCUSD/">BTCUSD/</a></li>', ["BTCUSD"]),
        ('<A class="x" HREF = \'a%2Bb%20c.csv\'>x</A>\n<a href="b.csv">', ["a+b c.csv", "b.csv"]),
        ('<a href="https://x.example/y/day.csv.gz">', ["day.csv.gz"]),
        ('<a href="?sort=name">name</a><a href="#top">top</a>', []),
        ("<p>BTCUSD2024-01-01.csv.gz</p>", []),
        ("", []),
    ],
)
def test_the_links_of_a_page_are_its_names(page, names):
    assert hrefs(page) == names


def test_the_page_of_a_folder_is_read_as_servers_write_it(loopback, http):
    for name in ("b c.csv.gz", "a.csv.gz", "sub/c.csv.gz", "币.csv.gz"):
        loopback.put(f"trading/{name}", b"")
    assert hrefs(http.text(f"{loopback.url}/trading/")) == [
        *("a.csv.gz", "b c.csv.gz", "sub", "币.csv.gz"),
    ]


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_the_keys_of_a_bucket_come_page_by_page_in_order(loopback, http, size):
    loopback.page_size = size
    keys = [f"data/BTC/{n:02d}&<>.zip" for n in range(7)]
    for key in ("data/BTB/0.zip", "data/BTD/0.zip", *reversed(keys)):
        loopback.put(f"bucket/{key}", b"")
    assert list(s3_keys(http, f"{loopback.url}/bucket", "data/BTC/")) == keys
    asked = [request.query for request in loopback.requests]
    assert len(asked) == -(-7 // size)
    assert [query["prefix"] for query in asked] == ["data/BTC/"] * len(asked)
    assert ["continuation-token" in query for query in asked] == [n > 0 for n in range(len(asked))]


def test_pages_are_asked_for_when_they_are_needed(loopback, http):
    loopback.page_size = 2
    for n in range(6):
        loopback.put(f"bucket/{n}", b"")
    keys = s3_keys(http, f"{loopback.url}/bucket", "")
    assert [next(keys), next(keys)] == ["0", "1"]
    assert len(loopback.requests) == 1
    assert next(keys) == "2"
    assert len(loopback.requests) == 2


def test_nothing_under_a_prefix_is_no_key(loopback, http):
    assert list(s3_keys(http, f"{loopback.url}/bucket", "data/")) == []


@pytest.mark.parametrize("body", ["<html><p>Access denied</html>", "", '{"keys": []}'])
def test_a_listing_that_is_no_xml_is_an_error_that_names_the_bucket(loopback, http, body):
    url = loopback.answer("bucket", lambda _: body.encode())
    with pytest.raises(MessageError, match=rf"^{url}: the listing of data/ is not XML: "):
        list(s3_keys(http, url, "data/"))


def test_a_bucket_that_is_not_there_is_an_error_that_names_it(loopback, http):
    loopback.fail("bucket", 404)
    with pytest.raises(MissingError, match=rf"^{loopback.url}/bucket: there is nothing at this"):
        list(s3_keys(http, f"{loopback.url}/bucket", "data/"))
