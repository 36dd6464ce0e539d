"""Compressed files come out as the bytes that went in, or as an error that names the file."""

import collections
import gzip
import io
import random
import threading
import zipfile

import pytest

from werks.archive import ByteStream
from werks.archive.unpack import CHUNK, DEPTH
from werks.errors import DataError, MessageError, MissingError

# Larger than the queue of the reader thread, and hard to compress.
TEXT = b"".join(b"%d,%d\n" % (n, n * n) for n in range(300_000))


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method, compresslevel=1) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return packed.getvalue()


def with_folder(data: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.mkdir("data")
        archive.writestr("data/day.csv", data)
    return packed.getvalue()


def with_longer_local_header(data: bytes) -> bytes:
    """Return a zip whose local header has a field more than its directory, as some tools write."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        info = zipfile.ZipInfo("day.csv")
        info.compress_type = zipfile.ZIP_DEFLATED
        info.extra = b"\x99\x99\x04\x00more"
        archive.writestr(info, data)
        info.extra = b""
    return packed.getvalue()


GZ = gzip.compress(TEXT, 1)
PACKED = {
    "gz": GZ,
    "gz of two members": gzip.compress(TEXT[:700_001], 1) + gzip.compress(TEXT[700_001:], 1),
    "gz padded with zeros": GZ + bytes(512),
    "zip": zipped(("day.csv", TEXT)),
    "zip that is only stored": zipped(("day.csv", TEXT), method=zipfile.ZIP_STORED),
    "zip with a folder in it": with_folder(TEXT),
    "zip with a longer local header": with_longer_local_header(TEXT),
    "plain": TEXT,
}


@pytest.fixture(params=[True, False], ids=["ahead", "in turn"])
def ahead(request) -> bool:
    return request.param


@pytest.fixture
def opened(tmp_path, ahead):
    """Return a function that opens bytes as a published file of some name."""
    streams = []

    def stream(data: bytes, name: str = "day.csv") -> ByteStream:
        path = tmp_path / "file"
        path.write_bytes(data)
        streams.append(ByteStream(path, f"http://x/{name}", ahead))
        return streams[-1]

    yield stream
    for each in streams:
        each.close()


@pytest.mark.parametrize("kind", PACKED)
def test_the_bytes_are_those_that_were_packed(opened, kind):
    assert opened(PACKED[kind]).read() == TEXT


@pytest.mark.parametrize("kind", ["gz", "zip", "plain"])
def test_reads_of_any_size_give_the_same_bytes(opened, kind):
    stream, chance, parts = opened(PACKED[kind]), random.Random(7), []
    while part := stream.read(chance.choice([1, 1000, CHUNK - 1, CHUNK, 3 * CHUNK])):
        parts.append(part)
    assert b"".join(parts) == TEXT
    assert stream.read(10) == stream.read() == b""


def test_a_read_gives_all_that_it_is_asked_for(opened):
    stream = opened(PACKED["gz"])
    assert [len(stream.read(CHUNK + 5)) for _ in range(3)] == [CHUNK + 5] * 3
    assert stream.read(0) == b""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"a,b\n1,2\n", b"a,b"),
        (b"a,b\r\n1,2\r\n", b"a,b"),
        (b"a,b", b"a,b"),
        (b"\na,b\n", b""),
        (b"x" * (2 * CHUNK) + b"\ny", b"x" * (2 * CHUNK)),
        (b"x" * (2 * CHUNK), b"x" * (2 * CHUNK)),
    ],
    ids=["line feed", "carriage return", "no end", "empty", "longer than a chunk", "all of it"],
)
def test_the_first_line_is_looked_at_and_not_taken(opened, text, line):
    stream = opened(gzip.compress(text))
    assert stream.first_line() == stream.first_line() == line
    assert stream.read() == text
    assert stream.first_line() == b""


def test_a_file_that_unpacks_to_nothing_has_no_bytes(opened):
    for packed in (gzip.compress(b""), zipped(("day.csv", b""))):
        stream = opened(packed)
        assert stream.first_line() == stream.read() == b""


def test_a_stream_is_opened_anew_from_its_beginning(opened):
    stream = opened(PACKED["gz"])
    stream.read(1_000_000)
    with stream.reopen() as again:
        assert again.read() == TEXT
    assert again.closed
    assert not stream.closed
    assert stream.read() == TEXT[1_000_000:]


def wrong_crc() -> bytes:
    packed = bytearray(PACKED["zip"])
    for magic, offset in ((b"PK\x03\x04", 14), (b"PK\x01\x02", 16)):
        at = packed.index(magic) + offset
        packed[at] ^= 1
    return bytes(packed)


def other_bytes(packed: bytes, at: int) -> bytes:
    return packed[:at] + bytes(64) + packed[at + 64 :]


CUT = "cannot be unpacked, it is cut off or corrupt"
BROKEN = {
    "gz cut in the middle": (PACKED["gz"][: len(PACKED["gz"]) // 2], CUT),
    "gz cut in its header": (PACKED["gz"][:5], CUT),
    "gz without its last byte": (PACKED["gz"][:-1], CUT),
    "gz cut in its second member": (PACKED["gz of two members"][:-1000], CUT),
    "gz with other bytes": (other_bytes(PACKED["gz"], 500_000), CUT),
    "gz with a wrong sum": (PACKED["gz"][:-8] + bytes(8), CUT),
    "zip cut in the middle": (PACKED["zip"][: len(PACKED["zip"]) // 2], CUT),
    "zip without its last byte": (PACKED["zip"][:-1], CUT),
    "zip with other bytes": (other_bytes(PACKED["zip"], 500_000), CUT),
    "zip with a wrong sum": (wrong_crc(), "wrong CRC or size of day.csv"),
    "stored zip with other bytes": (
        other_bytes(PACKED["zip that is only stored"], 500_000),
        "wrong CRC or size of day.csv",
    ),
    "zip packed otherwise": (
        zipped(("day.csv", b"1,2\n"), method=zipfile.ZIP_BZIP2),
        "day.csv is packed with method 12",
    ),
    "zip of two files": (zipped(("a.csv", b"1"), ("b.csv", b"2")), "holds 2 files where one"),
    "zip of nothing": (zipped(), "holds 0 files where one is expected"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_broken_is_an_error_that_names_the_file(opened, kind):
    packed, said = BROKEN[kind]
    stream = opened(packed, "day.csv.gz" if packed[:2] == b"\x1f\x8b" else "day.zip")
    with pytest.raises(MessageError, match=rf"^http://x/day\.(csv\.gz|zip): .*{said}"):
        collections.deque(iter(lambda: stream.read(CHUNK), b""), 0)


def test_one_file_of_a_zip_is_named_behind_its_address(tmp_path, ahead):
    path = tmp_path / "days.zip"
    path.write_bytes(zipped(("x/a.csv", b"1\n"), ("x/ba.csv", TEXT), ("y/._a.csv", b"3\n")))
    for member, text in (("a.csv", b"1\n"), ("ba.csv", TEXT)):
        with ByteStream(path, f"https://x/days.zip#{member}", ahead) as stream:
            assert stream.read() == text
            with stream.reopen() as again:
                assert again.read() == text
    missing = pytest.raises(MissingError, match=r"days\.zip#c\.csv: there is no such file")
    with ByteStream(path, "https://x/days.zip#c.csv", ahead) as stream, missing:
        stream.read()


def test_an_error_is_raised_again_by_the_next_read(opened):
    stream = opened(PACKED["gz"][:-1])
    for _ in range(3):
        with pytest.raises(MessageError, match=CUT):
            stream.read()


@pytest.mark.parametrize("name", ["day.csv.gz", "day.zip"])
def test_a_page_in_a_files_place_is_refused(opened, name):
    with pytest.raises(MessageError, match=rf"^http://x/{name}: is not the kind of file that its"):
        opened(b"<html>Access denied</html>", name).read()


@pytest.mark.parametrize("name", ["day.csv.gz", "day.zip", "day.csv"])
def test_a_file_without_a_byte_is_refused(opened, name):
    with pytest.raises(DataError, match=rf"^http://x/{name}: the file is empty; fetch it again"):
        opened(b"", name).first_line()


@pytest.mark.parametrize("before", [10, CHUNK - 1, CHUNK, 3 * CHUNK - 1])
def test_a_number_that_a_spreadsheet_has_cut_is_found_anywhere(opened, before):
    """Also where it lies across two chunks."""
    text = b"7" * before + b"E+12\n"
    with pytest.raises(DataError, match="a number that a spreadsheet has cut"):
        opened(text).read()
    assert opened(text.replace(b"E+", b"e+")).read() == text.replace(b"E+", b"e+")


def unpackers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "werks-ahead"]


def test_closing_stops_the_thread_wherever_it_is(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(CHUNK * DEPTH * 3))
    with ByteStream(path, "day.csv") as stream:
        stream.read(1)
        assert len(unpackers()) == 1
        assert len(stream.read(10)) == 10
    assert unpackers() == []
    stream.close()
    assert stream.closed


def test_in_turn_there_is_no_thread(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(PACKED["gz"])
    with ByteStream(path, "day.csv", ahead=False) as stream:
        assert stream.read(10) == TEXT[:10]
        assert unpackers() == []


def test_it_says_what_a_binary_file_says_of_itself(opened):
    stream = opened(b"1\n")
    assert (stream.readable(), stream.writable(), stream.seekable()) == (True, False, False)
