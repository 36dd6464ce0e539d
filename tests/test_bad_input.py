"""Whatever is wrong with the input is said in one line, and the run goes on with what is right."""

import gzip
import hashlib
import io
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from werks.cli import main
from werks.testing import Loopback

from .conftest import FIRST, HEADER, PIPELINE, Market, csv_gz, day_rows, path_of

SECOND = FIRST + timedelta(days=1)
SYMBOLS = '["BTCUSDT", "ETHUSDT"]'
ROWS = 200
LINES = day_rows("BTCUSDT", SECOND, ROWS)
GOOD = csv_gz(LINES)
NEXT = "fetch the file again"


@pytest.fixture
def market(loopback, tmp_path, monkeypatch) -> Market:
    """Return a market of three days and two symbols; temporary files go below its root."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return published(Market(loopback, tmp_path))


def published(market: Market) -> Market:
    for symbol in ("BTCUSDT", "ETHUSDT"):
        market.publish(symbol, 3, ROWS)
    return market


def werks(*arguments: object) -> tuple[int, str, str]:
    """Return the exit code of a command and what it prints; an exception is raised here."""
    result = CliRunner().invoke(main, [str(word) for word in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def quiet(tmp_path_factory) -> dict[str, bytes]:
    """Return the files of a run in which nothing is wrong."""
    with Loopback() as server:
        market = published(Market(server, tmp_path_factory.mktemp("quiet")))
        assert werks("run", market.file(symbols=SYMBOLS), "--quiet") == (0, "", "")
        return market.tree()


def leftovers(root: Path) -> list[str]:
    """Return the hidden and the temporary files below a folder."""
    below = [path.relative_to(root) for path in root.rglob("*")]
    return [str(p) for p in below if p.name.startswith(".") or "temporary" in p.parts[:-1]]


def row(change: Callable[[str], str]) -> bytes:
    """Return the second day with its eighth row changed; the header is the first."""
    return csv_gz([*LINES[:6], change(LINES[6]), *LINES[7:]])


def cell(place: int, text: str) -> bytes:
    def change(line: str) -> str:
        cells = line.split(",")
        return ",".join([*cells[:place], text, *cells[place + 1 :]])

    return row(change)


def in_milliseconds(line: str) -> str:
    stamp, rest = line.split(",", 1)
    return f"{stamp.replace('.', '')[:13]},{rest}"


FOREIGN = day_rows("ETHUSDT", SECOND, ROWS)
DIGITS = "a number with at most 10 digits after the point is expected"
CUT = r"cannot be unpacked, it is cut off or corrupt \(.+\); fetch it again"
HIT = rf"the trade {LINES[6].split(',')[6]} of 2024-03-02T\S+"
BAD = {
    "gz cut off": (GOOD[:-100], CUT),
    "gz cut in half": (GOOD[: len(GOOD) // 2], CUT),
    "gz with other bytes": (GOOD[:2000] + bytes(50) + GOOD[2050:], CUT),
    "a page": (b"<html>later</html>", "is not the kind of file that its name says; fetch it again"),
    "nothing at all": (b"", "the file is empty; fetch it again later"),
    "nothing inside": (
        gzip.compress(b""),
        rf"unknown header '': there is no column .*; {NEXT}, or.*",
    ),
    "another header": (
        csv_gz(LINES, HEADER.replace("price", "cost")),
        rf"unknown header '.*': there is no column price; {NEXT}, or update the plugin",
    ),
    "a missing field": (
        row(lambda line: line.split(",", 1)[1]),
        rf"row 8 has 9 fields, expected 10; {NEXT}",
    ),
    "a field too many": (row(lambda line: f"1,{line}"), rf"row 8 has 11 fields, .* 10; {NEXT}"),
    "an empty price": (cell(4, ""), rf"row 8: price is empty; {NEXT}"),
    "an empty time": (cell(0, ""), rf"row 8: timestamp is empty; {NEXT}"),
    "an empty id": (cell(6, ""), rf"row 8: the trade has no id; {NEXT}"),
    "a word for a price": (cell(4, "many"), rf"row 8: price cannot be 'many': {DIGITS}; {NEXT}"),
    "a word for a time": (cell(0, "noon"), rf"row 8: timestamp cannot be 'noon': .*; {NEXT}"),
    "a word for a side": (cell(2, "Short"), rf"row 8: side cannot be 'Short'; {NEXT}"),
    "too many digits": (cell(4, "1.12345678901"), rf"row 8: price cannot be .*: {DIGITS}; {NEXT}"),
    "a price of nothing": (cell(4, "0"), rf"{HIT} has a price that is not above 0; {NEXT}"),
    "a size below nothing": (cell(3, "-1"), rf"{HIT} has a size that is not above 0; {NEXT}"),
    "a time in another unit": (
        row(in_milliseconds),
        rf"row 8: timestamp \d+ is not a time in units of 1 ns; {NEXT}",
    ),
    "all times in another unit": (
        csv_gz([in_milliseconds(line) for line in LINES]),
        rf"row 2: timestamp \d+ is not a time in units of 1 ns; {NEXT}",
    ),
    "a number that a spreadsheet cut": (
        cell(0, "1.70027E+12"),
        r"holds a number that a spreadsheet has cut \(…E\+…\); fetch it again",
    ),
    "another day": (
        csv_gz(day_rows("BTCUSDT", FIRST, ROWS)),
        rf"the trade \S+ of 2024-03-01\S+ lies outside of the file's days: .*; {NEXT}",
    ),
    "a row of another symbol": (
        cell(1, "ETHUSDT"),
        rf"row 8: is of ETHUSDT, not of BTCUSDT; {NEXT}",
    ),
    "another symbol": (csv_gz(FOREIGN), rf"row 2: is of ETHUSDT, not of BTCUSDT; {NEXT}"),
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.few(4)
def test_a_bad_file_is_one_line_and_the_others_go_on(market, quiet, what):
    body, said = BAD[what]
    url = market.server.put(path_of("BTCUSDT", SECOND), body)
    file = market.file(symbols=SYMBOLS)
    code, out, err = werks("run", file, "--quiet")
    assert (code, out) == (1, "")
    assert re.fullmatch(rf"error: bybit-linear BTCUSDT: {re.escape(url)}: {said}\n", err), err
    assert leftovers(market.root) == []
    after = market.tree()
    others = {path for path in quiet if "ETHUSDT" in path or path.endswith("03-01.feather")}
    assert {path: after.get(path) for path in others} == {path: quiet[path] for path in others}
    assert "trades/bybit-linear/BTCUSDT/2024-03-03.feather" in after
    assert [path for path in after if "BTCUSDT/2024-03-02" in path] == []
    market.server.put(path_of("BTCUSDT", SECOND), GOOD)
    assert werks("run", file, "--quiet") == (0, "", "")
    assert market.tree() == quiet


def test_a_bad_file_says_so_again_until_it_is_mended(market):
    """What is done is not done again, but for what is carried from the bad day into the next."""
    market.server.put(path_of("BTCUSDT", SECOND), b"")
    file = market.file(symbols=SYMBOLS)
    first, again = werks("run", file), werks("run", file)
    assert "5 windows done" in first[1]
    assert "done" not in again[1]
    assert (first[0], again[0]) == (1, 1)
    assert first[2].splitlines()[-1] == again[2].splitlines()[-1]
    code, out, _ = werks("plan", file)
    assert (code, out.splitlines()[-1]) == (0, f"2 of 6 windows to do ({file})")


@pytest.mark.long
def test_a_bad_row_far_into_a_file_leaves_nothing_of_it(market):
    """Also where rows of many blocks were written before."""
    lines = day_rows("BTCUSDT", SECOND, 150_000)
    lines[-1] = lines[-1].replace(",BTCUSDT,", ",ETHUSDT,")
    market.server.put(path_of("BTCUSDT", SECOND), csv_gz(lines))
    more = '\n[sinks.table]\ntype = "sqlite"\ninputs = ["trades"]\npath = "{root}/rows.db"\n'
    file = market.file(text=PIPELINE + more)
    code, _, err = werks("run", file, "--quiet")
    assert code == 1
    assert err.endswith(f"row 150001: is of ETHUSDT, not of BTCUSDT; {NEXT}\n")
    assert leftovers(market.root) == []
    assert [path for path in market.tree() if "2024-03-02" in path] == []
    db = sqlite3.connect(market.root / "rows.db")
    found = db.execute('select "window", count(*) from trades group by 1 order by 1').fetchall()
    db.close()
    assert [(str(day), rows) for day, rows in found] == [("2024-03-01", ROWS), ("2024-03-03", ROWS)]


def test_a_cached_file_that_is_bad_is_fetched_again(market, quiet):
    settings = f'tries = 1\ncache = "{market.root}/cache"'
    market.server.put(path_of("BTCUSDT", SECOND), GOOD[:-100])
    file = market.file(symbols=SYMBOLS, settings=settings)
    assert werks("run", file, "--quiet")[0] == 1
    market.server.put(path_of("BTCUSDT", SECOND), GOOD)
    assert werks("run", file, "--quiet") == (0, "", "")
    assert market.tree() == quiet
    assert market.server.asked(path_of("BTCUSDT", FIRST)) == 1


def test_repeated_ids_are_left_out_counted_and_said(market, quiet):
    market.server.put(path_of("BTCUSDT", SECOND), csv_gz([*LINES[:10], *LINES[5:]]))
    code, out, err = werks("run", market.file(symbols=SYMBOLS))
    assert code == 0
    assert "bybit-linear BTCUSDT 2024-03-02: 200 rows, 5 repeats left out\n" in err
    assert re.search(r"bybit-linear BTCUSDT +2024-03-01 … 2024-03-03 +600 +5 ", out)
    assert market.tree() == quiet


# Another exchange, whose files are zips with checksums.

ZIPPED = """
[pipeline]
state = "{root}/werks.db"
tries = 1

[sources.trades]
type = "binance.trades"
symbols = ["BTCUSDT"]
start = 2024-03-01
stop = 2024-03-03
via = ["archive"]
archive_url = "{url}"
listing_url = "{url}"

[sinks.files]
type = "csv"
path = "{root}/data"
"""
KEY = "data/spot/daily/trades/BTCUSDT/BTCUSDT-trades-{}.zip"


def zipped(text: str, files: int = 1) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(files):
            archive.writestr(f"{number}.csv", text)
    return packed.getvalue()


def checksum(body: bytes) -> bytes:
    return f"{hashlib.sha256(body).hexdigest()}  day.zip\n".encode()


def day_text(milliseconds: int) -> str:
    return "".join(f"{n},4.5,0.25,1.125,{milliseconds + n},True,True\n" for n in range(1, 200))


TEXT = day_text(1709337600000)
ZIP = zipped(TEXT)
NO_SUM = r"{url}\.CHECKSUM: "
BAD_ZIPS = {
    "cut in half": (ZIP[:800], None, rf"{{url}}: {CUT}"),
    "other bytes": (ZIP[:400] + bytes(9) + ZIP[409:], None, rf"{{url}}: {CUT}"),
    "two files": (
        zipped(TEXT, 2),
        None,
        "{url}: holds 2 files where one is expected; fetch it again",
    ),
    "a wrong checksum": (
        ZIP,
        checksum(b"other"),
        r"{url}: the checksum is sha256:\w+, published is sha256:\w+; the file is broken or was"
        " replaced: run again",
    ),
    "a checksum that is none": (
        ZIP,
        b"soon",
        NO_SUM + "holds no SHA-256 checksum; try .*",
    ),
    "a bad row": (
        zipped(TEXT.replace("7,4.5,", "7,many,", 1)),
        None,
        rf"{{url}}: row 7: price cannot be 'many': a number with .*; {NEXT}",
    ),
    "a time in another unit": (
        zipped(day_text(1709337600)),
        None,
        rf"{{url}}: row 1: timestamp 1709337601 is not a time in units of 1000000 ns; {NEXT}",
    ),
    "an unknown header": (
        zipped("id,cost\n1,2\n"),
        None,
        rf"{{url}}: unknown header 'id,cost': there is no column .*; {NEXT}, or update the plugin",
    ),
}


@pytest.mark.parametrize("what", BAD_ZIPS)
@pytest.mark.few(2)
def test_a_bad_zip_is_one_line_and_the_days_before_it_stay(loopback, tmp_path, what):
    body, published_sum, said = BAD_ZIPS[what]
    first = zipped(day_text(1709251200000))
    for day, bytes_, sum_ in ((FIRST, first, None), (SECOND, body, published_sum)):
        url = loopback.put(KEY.format(day), bytes_)
        loopback.put(f"{KEY.format(day)}.CHECKSUM", sum_ or checksum(bytes_))
    file = tmp_path / "p.toml"
    file.write_text(ZIPPED.format(root=tmp_path, url=loopback.url))
    code, out, err = werks("run", file, "--quiet")
    assert (code, out) == (1, "")
    line = rf"error: binance BTCUSDT: {said.replace('{url}', re.escape(url))}\n"
    assert re.fullmatch(line, err), err
    folder = tmp_path / "data" / "trades" / "binance" / "BTCUSDT"
    assert [path.name for path in folder.glob("*.*")] == ["2024-03-01.csv"]
    loopback.put(KEY.format(SECOND), ZIP)
    loopback.put(f"{KEY.format(SECOND)}.CHECKSUM", checksum(ZIP))
    assert werks("run", file, "--quiet") == (0, "", "")
    assert len((folder / "2024-03-02.csv").read_text().splitlines()) == 200


# Places that cannot be written to.

SINKS = ("csv", "feather", "parquet", "sqlite")


def to(kind: str, folder: str = "{root}") -> str:
    """Return the pipeline with a sink of a kind that writes below a folder."""
    path = f"{folder}/data.db" if kind == "sqlite" else f"{folder}/data"
    return PIPELINE.replace('"feather"', f'"{kind}"').replace("{root}/data", path)


@pytest.mark.parametrize("kind", SINKS)
@pytest.mark.few(1)
def test_a_path_below_a_file_is_one_line(market, kind):
    (market.root / "file").write_text("in the way")
    file = market.file(symbols=SYMBOLS, text=to(kind, "{root}/file"))
    code, out, err = werks("run", file, "--quiet")
    assert (code, out) == (1, "")
    where = "error: bybit-linear BTCUSDT, bybit-linear ETHUSDT: "
    said = rf"{market.root}/file/data\S*: .*{market.root}/file is no folder; .*\n"
    assert re.fullmatch(where + said, err), err
    assert leftovers(market.root) == []
    (market.root / "file").unlink()
    assert werks("run", file, "--quiet") == (0, "", "")


def test_one_sink_that_fails_leaves_what_the_other_has(market):
    """A window counts as done when every sink has it."""
    market.run(market.file(text=to("csv")))
    before = market.tree()
    (market.root / "file").write_text("in the way")
    more = '\n[sinks.more]\ntype = "csv"\ninputs = ["trades"]\npath = "{root}/file/x"\n'
    assert werks("run", market.file(text=to("csv") + more), "--quiet")[0] == 1
    assert market.tree() == before


@pytest.fixture
def small(tmp_path) -> Iterator[Path]:
    """Return a disk of one megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "werks-test", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk is not permitted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def grown(market: Market, rows: int = 40_000) -> None:
    """Publish a second day that has more rows than a small disk."""
    market.server.put(path_of("BTCUSDT", SECOND), csv_gz(day_rows("BTCUSDT", SECOND, rows)))


@pytest.mark.parametrize("kind", SINKS)
@pytest.mark.few(1)
def test_a_full_disk_is_one_line_and_what_was_committed_stays(market, small, kind):
    grown(market)
    file = market.file(text=to(kind, str(small)))
    code, out, err = werks("run", file, "--quiet")
    assert (code, out) == (1, "")
    place = rf"{small}(/data\S*)?(: the disk is full| has no room on its disk)"
    assert re.fullmatch(rf"error: bybit-linear BTCUSDT: {place}; make room and run again\n", err)
    assert leftovers(market.root) == []
    market.server.put(path_of("BTCUSDT", SECOND), GOOD)
    code, out, _ = werks("run", file)
    assert code == 0
    assert "2 windows done, 1 window known already" in out


def test_a_full_disk_for_temporary_files_is_one_line(market, small, monkeypatch):
    grown(market, 60_000)
    monkeypatch.setattr(tempfile, "tempdir", str(small))
    (small / "fill").write_bytes(bytes(900_000))
    code, out, err = werks("run", market.file(), "--quiet")
    name = f"BTCUSDT{SECOND}.csv.gz"
    assert (code, out) == (1, "")
    assert err.endswith(
        f"/{name}: {name} cannot be kept there: No space left on device; make room or set TMPDIR\n"
    )
    assert err.count("\n") == 1
    assert [path.name for path in small.iterdir()] == ["fill"]


def test_a_full_disk_for_rows_to_be_sorted_is_one_line(market, small, monkeypatch):
    lines = day_rows("BTCUSDT", SECOND, 20_000)[::-1]
    market.server.put(path_of("BTCUSDT", SECOND), csv_gz(lines))
    monkeypatch.setattr(tempfile, "tempdir", str(small))
    code, _, err = werks("run", market.file(), "--quiet")
    assert code == 1
    assert "set TMPDIR" in err


def test_a_full_disk_for_the_ledger_is_one_line(market, small):
    (small / "fill").write_bytes(bytes(880_000))
    text = PIPELINE.replace("{root}/werks.db", f"{small}/werks.db")
    code, out, err = werks("run", market.file(text=text), "--quiet")
    assert (code, out) == (1, "")
    assert (
        err == f"error: {small}/werks.db: the ledger cannot be opened: database or disk is full\n"
    )
    assert leftovers(market.root) == []
    (small / "fill").unlink()
    assert werks("run", market.root / "p.toml", "--quiet") == (0, "", "")


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
from werks.cli import main
main(["run", sys.argv[1], "--quiet"])
"""


def test_a_limit_for_files_is_one_line(market):
    """The archive is a folder of this machine, so nothing but the sink meets the limit."""
    shelf = market.root / "shelf" / "trading" / "BTCUSDT"
    shelf.mkdir(parents=True)
    (shelf / f"BTCUSDT{FIRST}.csv.gz").write_bytes(csv_gz(day_rows("BTCUSDT", FIRST, ROWS)))
    large = csv_gz(day_rows("BTCUSDT", SECOND, 20_000))
    (shelf / f"BTCUSDT{SECOND}.csv.gz").write_bytes(large)
    text = to("csv").replace("{url}", (market.root / "shelf").as_uri())
    file = market.file(text=text, stop=FIRST + timedelta(days=2))
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(file)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TMPDIR": str(market.root / "temporary")},
    )
    path = market.root / "data" / "trades" / "bybit-linear" / "BTCUSDT" / "2024-03-02.csv"
    said = "the file grew beyond the limit for files; raise it (ulimit -f) and run again"
    assert done.stderr == f"error: bybit-linear BTCUSDT: {path}: {said}\n"
    assert (done.returncode, done.stdout) == (1, "")
    assert leftovers(market.root) == []
    assert [name for name in market.tree() if "trades/" in name] == [
        "trades/bybit-linear/BTCUSDT/2024-03-01.csv"
    ]
    assert werks("run", file, "--quiet") == (0, "", "")


# What is wrong with the file, with a plugin or with the environment: nothing is run.


@pytest.mark.parametrize("command", ["run", "check", "plan"])
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            '"bybit.trades"',
            '"bybit.trade"',
            'sources.trades.type: the plugin "bybit" has no source "trade"; it has: bybit.trades,'
            " bybit.candles, bybit.open_interest, bybit.funding, bybit.instruments,"
            " bybit.quotes, bybit.liquidations;"
            ' did you mean "bybit.trades"?',
        ),
        (
            '"bybit.trades"',
            '"bibyt.trades"',
            'sources.trades.type: no plugin "bibyt" is installed; did you mean "bybit"?',
        ),
        (
            '"feather"',
            '"arrow"',
            'sinks.files.type: no plugin "arrow" is installed;'
            " if there is one: pip install werks-arrow",
        ),
        (
            "archive_url",
            "archiv_url",
            'sources.trades.archiv_url: there is no such option; did you mean "archive_url"?',
        ),
        (
            "stop = 2024-03-04",
            "stop = 2024-03-01",
            "sources.trades.stop: 2024-03-01 is not after start",
        ),
        (
            'path = "',
            'path = "env:WERKS_TEST_NOT_SET"  # "',
            "sinks.files.path: the environment variable WERKS_TEST_NOT_SET is not set",
        ),
        (
            "min_notional = 1000",
            'min_notional = "1_000"',
            "transforms.big.min_notional: a number is expected, not '1_000'",
        ),
        ('every = "1m"', "every = 60", "transforms.minutes.every: "),
    ],
)
def test_what_is_wrong_with_the_pipeline_file_is_one_line(market, command, old, new, said):
    file = market.file()
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    code, out, err = werks(command, file)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {file}: {said}")
    assert err.count("\n") == 1
    assert market.server.requests == []
    assert not (market.root / "werks.db").exists()


def test_two_plugins_with_one_name_are_one_line(market, monkeypatch):
    folder = market.root / "site"
    info = folder / "another_bybit-3.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: another-bybit\nVersion: 3.0\n")
    (info / "entry_points.txt").write_text("[werks]\nbybit = another_bybit\n")
    monkeypatch.syspath_prepend(str(folder))
    file = market.file()
    code, out, err = werks("check", file)
    assert (code, out) == (2, "")
    where = re.escape(f'error: {file}: sources.trades.type: the plugin "bybit" is claimed by ')
    owners = r"(another-bybit 3\.0 and werks-bybit \S+|werks-bybit \S+ and another-bybit 3\.0)"
    assert re.fullmatch(rf"{where}{owners}: uninstall one of them\n", err), err


def test_a_server_that_is_not_there_is_one_line(market):
    file = market.file(text=PIPELINE.replace("{url}", "http://127.0.0.1:9"))
    code, out, err = werks("run", file, "--quiet")
    assert (code, out) == (1, "")
    url = "http://127.0.0.1:9/trading/BTCUSDT/"
    assert re.fullmatch(rf"error: bybit-linear BTCUSDT: {url}: .*refused.*\n", err)
    assert werks("plan", file)[0] == 1


def test_a_symbol_that_is_not_there_stops_no_other(market):
    code, out, err = werks("run", market.file(symbols='["BTCUSDT", "NOSUCH"]'))
    assert code == 1
    assert err.splitlines()[-1] == (
        f"error: bybit-linear NOSUCH: {market.server.url}/trading/NOSUCH/: there is nothing at this"
        " address (HTTP 404)"
    )
    assert "3 windows done" in out
