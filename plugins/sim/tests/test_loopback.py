"""The loopback server publishes folders and buckets as exchanges do, and fails when it is told."""

import time

import pytest

from werks.archive import hrefs, s3_keys
from werks.errors import MissingError, RateLimitError, RejectedError, UnavailableError
from werks.http import Http
from werks.testing import Loopback

PATHS = ("a b/1.csv", "a b/2.csv", "a b/c/3.csv", "d&e.csv", "f/4.csv")


@pytest.fixture
def bucket():
    with Loopback(page_size=2) as server:
        for path in PATHS:
            server.put(path, path.encode())
        yield server


def _list(server, http, **query):
    return http.text(server.url, **{"list-type": "2"}, **query)


def test_a_file_is_served_at_its_percent_encoded_address(bucket, http, tmp_path):
    url = bucket.put("x/ü ?&.gz", b"\x00\xff")
    http.download(url, tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == b"\x00\xff"
    assert bucket.requests[-1].path == "/x/ü ?&.gz"


def test_a_file_of_the_disk_is_served_too(bucket, http, tmp_path):
    (tmp_path / "big").write_bytes(b"12" * 100_000)
    http.download(bucket.put("big", tmp_path / "big"), tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == b"12" * 100_000


def test_a_folder_lists_what_lies_directly_below_it(bucket, http):
    assert hrefs(http.text(f"{bucket.url}/")) == ["a b", "d&e.csv", "f"]
    assert hrefs(http.text(f"{bucket.url}/a%20b/")) == ["1.csv", "2.csv", "c"]


def test_a_folder_without_files_and_an_unknown_file_are_missing(bucket, http):
    for path in ("g/", "a", "a b/3.csv"):
        with pytest.raises(MissingError):
            http.text(f"{bucket.url}/{path}")


def test_a_bucket_lists_its_keys_page_by_page(bucket, http):
    assert list(s3_keys(http, bucket.url, "")) == list(PATHS)
    assert [bool(r.query.get("continuation-token")) for r in bucket.requests] == [False, True, True]


def test_a_bucket_lists_what_has_a_prefix(bucket, http):
    assert list(s3_keys(http, bucket.url, "a b/")) == list(PATHS[:3])
    assert list(s3_keys(http, bucket.url, "none")) == []
    assert list(s3_keys(http, f"{bucket.url}/a%20b", "c")) == ["c/3.csv"]


def test_a_bucket_lists_common_prefixes_up_to_a_delimiter(bucket, http):
    page = _list(bucket, http, prefix="a b/", delimiter="/")
    assert "<Key>a b/1.csv</Key>" in page
    assert "<IsTruncated>true</IsTruncated>" in page
    page = _list(bucket, http, delimiter="/", **{"start-after": "a b/"})
    assert "<Key>d&amp;e.csv</Key>" in page
    assert "<CommonPrefixes><Prefix>f/</Prefix></CommonPrefixes>" in page


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (403, RejectedError),
        (404, MissingError),
        (418, RateLimitError),
        (429, RateLimitError),
        (503, UnavailableError),
    ],
)
def test_a_status_comes_as_often_as_asked(bucket, status, error):
    url = f"{bucket.url}/f/4.csv"
    bucket.fail("f/4.csv", status, times=2, retry_after=7)
    with Http(tries=1) as http:
        for _ in range(2):
            with pytest.raises(error) as caught:
                http.text(url)
            assert getattr(caught.value, "wait", 7) == 7
    with Http(tries=1) as http:
        assert http.text(url) == "f/4.csv"


def test_faults_that_befell_nobody_are_taken_back(bucket, http):
    bucket.fail("f/4.csv", times=9)
    bucket.calm()
    assert http.text(f"{bucket.url}/f/4.csv") == "f/4.csv"


def test_a_cut_download_is_seen_to_be_cut(bucket, http, tmp_path):
    bucket.cut("f/4.csv", after=3, times=3)
    with Http(tries=1) as once, pytest.raises(UnavailableError):
        once.download(f"{bucket.url}/f/4.csv", tmp_path / "got")
    with pytest.raises(UnavailableError):
        http.download(f"{bucket.url}/f/4.csv", tmp_path / "got")
    http.download(f"{bucket.url}/f/4.csv", tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == b"f/4.csv"
    assert bucket.asked("f/4.csv") == 4


def test_other_bytes_come_once(bucket, http):
    bucket.swap("f/4.csv", b"other")
    assert [http.text(f"{bucket.url}/f/4.csv") for _ in range(2)] == ["other", "f/4.csv"]


def test_a_stall_delays_one_answer(bucket, http):
    bucket.stall("f/4.csv", 0.2)
    began = time.monotonic()
    assert http.text(f"{bucket.url}/f/4.csv") == "f/4.csv"
    assert time.monotonic() - began >= 0.2


def test_an_answer_is_made_from_the_query(bucket, http):
    url = bucket.answer("api", lambda query: query["symbol"].encode() * 2)
    assert http.text(url, symbol="A+B ") == "A+B A+B "
