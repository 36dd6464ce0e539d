"""A published file lies whole on this disk while it is used, and not a moment longer."""

import hashlib
import os
import tempfile
import time
from datetime import date
from pathlib import Path

import pytest

from werks.archive import fetched
from werks.components import File
from werks.errors import (
    ChecksumError,
    DataError,
    MessageError,
    MissingError,
    RejectedError,
    UnavailableError,
    WerksError,
)

BODY = b"id,price\n1,2\n"
SUM = hashlib.sha256(BODY).hexdigest()
OTHER = hashlib.sha256(b"something else").hexdigest()


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """Return the folder that takes temporary files for as long as the test runs."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def published(loopback):
    """Return a function that publishes a file and returns it with a checksum."""

    def file(checksum: str = "", path: str = "trading/a b/day.csv", body: bytes = BODY) -> File:
        url = loopback.put(path, body)
        return File(url, date(2024, 5, 1), date(2024, 5, 2), ("BTCUSD",), checksum)

    return file


def listed(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_file_is_there_while_it_is_used_and_gone_after(published, http, temporary):
    with fetched(published(), http) as path:
        assert path.read_bytes() == BODY
        assert temporary in path.parents
        assert path.name == "day.csv"
    assert listed(temporary) == []


def test_a_file_goes_when_its_reader_fails(published, http, temporary):
    with pytest.raises(ZeroDivisionError), fetched(published(), http):
        raise ZeroDivisionError
    assert listed(temporary) == []


@pytest.mark.parametrize("name", ["..x", "...", "%2e%2e%2fday", "day;rm -rf.csv", ".hidden", "币"])
def test_a_name_never_leads_out_of_the_folder(published, http, temporary, name):
    with fetched(published(path=f"trading/{name}"), http) as path:
        assert path.read_bytes() == BODY
        assert path.parent.parent == temporary
        assert not path.name.startswith(".")


@pytest.mark.parametrize("checksum", [f"sha256:{SUM}", f"sha256:{SUM.upper()}"])
def test_a_checksum_that_is_right_is_passed(published, http, checksum):
    with fetched(published(checksum), http) as path:
        assert path.read_bytes() == BODY


@pytest.mark.parametrize("text", [f"{SUM}  day.csv\n", SUM, f"\n{SUM.upper()} *day.csv"])
def test_a_checksum_that_is_published_beside_the_file_is_read(published, http, loopback, text):
    with fetched(published(loopback.put("day.CHECKSUM", text.encode())), http) as path:
        assert path.read_bytes() == BODY


def test_other_bytes_than_published_are_refused(published, http, temporary):
    file = published(f"sha256:{OTHER}")
    with pytest.raises(ChecksumError) as raised, fetched(file, http):
        pass
    assert str(raised.value) == (
        f"{file.url}: the checksum is sha256:{SUM}, published is sha256:{OTHER}; the file is"
        " broken or was replaced: run again"
    )
    assert listed(temporary) == []


def test_a_checksum_beside_the_file_that_is_wrong_is_refused(published, http, loopback):
    file = published(loopback.put("day.CHECKSUM", OTHER.encode()))
    with pytest.raises(ChecksumError, match=rf"published is sha256:{OTHER}"), fetched(file, http):
        pass


@pytest.mark.parametrize("text", ["", "<html>soon</html>", SUM[:-1], SUM + "0"])
def test_a_checksum_file_without_a_checksum_is_refused(published, http, loopback, text):
    url = loopback.put("day.CHECKSUM", text.encode())
    with (
        pytest.raises(ChecksumError, match=rf"^{url}: holds no SHA-256 checksum; try again later$"),
        fetched(published(url), http),
    ):
        pass


def test_a_checksum_that_is_not_published_is_missing(published, http, loopback, temporary):
    url = f"{loopback.url}/day.CHECKSUM"
    with pytest.raises(MissingError, match=f"^{url}: "), fetched(published(url), http):
        pass
    assert listed(temporary) == []


@pytest.mark.parametrize(
    ("status", "error"), [(404, MissingError), (403, RejectedError), (500, UnavailableError)]
)
def test_what_cannot_be_had_leaves_nothing(published, http, loopback, temporary, status, error):
    file = published()
    loopback.fail("trading/a b/day.csv", status, times=2)
    cache = temporary / "cache"
    with pytest.raises(error, match=rf"^{file.url}: .*HTTP {status}"), fetched(file, http):
        pass
    loopback.fail("trading/a b/day.csv", status, times=2)
    with pytest.raises(error), fetched(file, http, cache):
        pass
    assert [name for name in listed(temporary) if name.endswith(".csv")] == []


def test_a_cached_file_is_kept_and_used_again(published, http, loopback, tmp_path):
    file, cache = published(f"sha256:{SUM}"), tmp_path / "cache"
    for _ in range(3):
        with fetched(file, http, cache) as path:
            assert path.read_bytes() == BODY
        assert path.exists()
    assert loopback.asked("trading/a b/day.csv") == 1
    host = loopback.url.removeprefix("http://").replace(":", "_")
    files = [name for name in listed(cache) if (cache / name).is_file()]
    assert files == [f"{host}/trading/a_20b/day.csv"]


def test_what_killed_downloads_have_left_in_the_cache_is_removed(published, http, tmp_path):
    file = published()
    with fetched(file, http, tmp_path) as path:
        path.unlink()
    old, new, another = (path.with_name(f".{name}") for name in ("day.csv.1", "day.csv.2", "b.1"))
    for left in (old, new, another):
        left.write_bytes(b"cut off")
    for left in (old, another):
        os.utime(left, (time.time() - 4000,) * 2)
    with fetched(file, http, tmp_path) as path:
        assert sorted(path.parent.iterdir()) == [another, new, path]


@pytest.mark.parametrize("error", [MessageError, DataError, ChecksumError])
def test_a_cached_file_that_is_broken_is_fetched_anew(published, http, tmp_path, loopback, error):
    file = published(body=b"cut off")
    with pytest.raises(error), fetched(file, http, tmp_path):
        raise error("it is broken")
    published()
    with fetched(file, http, tmp_path) as path:
        assert path.read_bytes() == BODY
    with pytest.raises(WerksError), fetched(file, http, tmp_path):
        raise WerksError("something else")
    with fetched(file, http, tmp_path):
        assert loopback.asked("trading/a b/day.csv") == 2


def test_files_of_one_name_are_kept_apart_in_the_cache(published, http, tmp_path):
    files = [published(path=f"{place}/day.csv", body=place.encode()) for place in "ab"]
    for _ in range(2):
        for file, body in zip(files, (b"a", b"b"), strict=True):
            with fetched(file, http, tmp_path) as path:
                assert path.read_bytes() == body


def test_a_wrong_checksum_leaves_nothing_in_the_cache(published, http, tmp_path):
    with pytest.raises(ChecksumError), fetched(published(f"sha256:{OTHER}"), http, tmp_path):
        pass
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_file_of_this_disk_is_used_where_it_lies(http, tmp_path, temporary):
    path = tmp_path / "a b.csv"
    path.write_bytes(BODY)
    file = File(path.as_uri(), date(2024, 5, 1), date(2024, 5, 2), (), f"sha256:{SUM}")
    with fetched(file, http, temporary) as found:
        assert found == path
    assert path.exists()
    assert listed(temporary) == []


def test_a_file_of_this_disk_is_checked_too(http, tmp_path):
    path = tmp_path / "day.csv"
    path.write_bytes(BODY)
    file = File(path.as_uri(), date(2024, 5, 1), date(2024, 5, 2), (), f"sha256:{OTHER}")
    with pytest.raises(ChecksumError, match=r"^file://.*day\.csv: the checksum is"):
        fetched(file, http).__enter__()
    path.unlink()
    with pytest.raises(MissingError, match=rf"^{path}: there is no such file$"):
        fetched(file, http).__enter__()


def test_a_plugin_may_give_the_bytes_itself(http, tmp_path, temporary):
    file = File("made:up/day.csv", date(2024, 5, 1), date(2024, 5, 2), (), f"sha256:{SUM}")
    given = []

    def content(of: File):
        given.append(of)
        yield BODY[:4]
        yield BODY[4:]

    with fetched(file, http, None, content) as path:
        assert path.read_bytes() == BODY
    assert listed(temporary) == []
    for _ in range(2):
        with fetched(file, http, tmp_path / "cache", content) as path:
            assert path.read_bytes() == BODY
    assert given == [file, file]


@pytest.mark.parametrize("folder", ["file", "file/below"])
def test_a_cache_that_cannot_be_made_is_named(published, http, tmp_path, folder):
    (tmp_path / "file").write_text("in the way")
    cache = tmp_path / folder
    with pytest.raises(
        WerksError, match=rf"^{cache}\S*: day.csv cannot be kept there: .*as cache$"
    ):
        fetched(published(), http, cache).__enter__()


def test_a_folder_for_temporary_files_that_is_not_there_is_named(published, http, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere/at/all")
    with pytest.raises(
        WerksError, match=r"^/nowhere/at/all: day.csv cannot be kept .* set TMPDIR$"
    ):
        fetched(published(), http).__enter__()
