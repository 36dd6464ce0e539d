import json
import logging
from datetime import date
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from werks.components import Window
from werks.errors import SinkError
from werks.proof import Digest
from werks.schema import Scales, batch, schema, times, word
from werks.testing.sink import DAY, SCHEMAS, SinkTests
from werks_sinks.csv import Csv
from werks_sinks.packing import opened, packing_of

_spec = spec_from_file_location("segment_rules", Path(__file__).with_name("segment_rules.py"))
rules = module_from_spec(_spec)
_spec.loader.exec_module(rules)

SECOND = 10**9
HOUR = 3600 * SECOND
MAY = 1_714_521_600 * SECOND  # 2024-05-01
NEXT = Window(DAY.exchange, DAY.symbol, date(2024, 5, 2))
OF = schema("TRADE", Scales(1, 3))


@pytest.mark.few(1)
class TestRotating(SinkTests):
    @pytest.fixture(params=["1 KB", "1 GB", "1h", "00:00", "monday"])
    def sink(self, tmp_path, request):
        return Csv(path=tmp_path / "data", rotate=request.param)

    def rows(self, sink, window, node):
        return pa.Table.from_batches(sink.read(window, node, SCHEMAS[node]), SCHEMAS[node])


@pytest.mark.few(1)
class TestPacked(SinkTests):
    @pytest.fixture(params=["gz", "zst", "zip"])
    def sink(self, tmp_path, request):
        given = {"rotate": "2 KB", "compression": request.param, "close_at_end": True}
        return Csv(path=tmp_path / "data", booleans="1/0", header=False, **given)

    def rows(self, sink, window, node):
        return pa.Table.from_batches(sink.read(window, node, SCHEMAS[node]), SCHEMAS[node])


@pytest.mark.long
class TestLive(rules.SegmentRules):
    @pytest.fixture(
        params=["20 KB", *[pytest.param(each, marks=pytest.mark.long) for each in ("1 GB", "1h")]]
    )
    def sink(self, tmp_path, request):
        return Csv(path=tmp_path / "data", rotate=request.param)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "node" / "bazaar" / "XBTUSD"


@pytest.fixture
def made(tmp_path):
    """A sink of short lines: a time and an id, 24 bytes."""

    def _made(rotate, **given):
        spelled = {"header": False, "columns": ("timestamp", "trade_id"), "timestamps": "ns"}
        return Csv(rotate=rotate, **({"path": tmp_path} | spelled | given))

    return _made


def rows(*times_of, first=1000):
    """Trades at times (ns); ids of four digits."""
    count = len(times_of)
    return batch(
        OF,
        exchange=word("bazaar", count),
        symbol=word("XBTUSD", count),
        timestamp=times(np.array(times_of, np.int64)),
        trade_id=[str(first + n) for n in range(count)],
    )


def prove(*batches):
    digest = Digest(OF)
    for each in batches:
        digest.add(each)
    return {"node": digest.proof()}


def commit(sink, window, *batches):
    with_writer = sink.open({"node": OF})
    try:
        for each in batches:
            with_writer.write(window, "node", each)
        return with_writer.commit(window, prove(*batches))
    except BaseException:
        with_writer.abort()
        raise
    finally:
        with_writer.close()


def names(folder):
    """All files but the journal, those that grow in parentheses."""
    grow = [f"({p.name})" for p in (folder / "_growing").glob("*") if p.suffix != ".jsonl"]
    return sorted(p.name for p in folder.glob("*") if p.is_file()) + sorted(grow)


def ids(folder):
    """The ids in all files in the order of their names, that which grows last."""
    paths = [*sorted(folder.glob("*.csv*")), *sorted((folder / "_growing").glob("*.csv"))]
    text = b""
    for path in paths:
        with opened(path, packing_of(path)) as file:
            text += file.read()
    return [int(line.rpartition(b",")[2]) for line in text.splitlines()]


def contents(folder):
    return {p.name: p.read_bytes() for p in folder.rglob("*.csv*") if p.is_file()}


def test_a_file_is_closed_before_it_would_be_too_large(made, folder):
    sink = made("100 B")  # four lines of 25 bytes
    commit(sink, DAY, rows(*range(MAY, MAY + 9 * SECOND, SECOND)))
    assert names(folder) == [
        "XBTUSD_2024-05-01_00-00-00_000000.csv",
        "XBTUSD_2024-05-01_00-00-04_000000.csv",
        "(XBTUSD_2024-05-01_00-00-08_000000.csv)",
    ]
    assert [len(text) for text in contents(folder).values()] == [100, 100, 25]
    assert ids(folder) == list(range(1000, 1009))


def test_a_file_of_just_the_size_is_not_full_before_the_next_line(made, folder):
    sink = made("100 B")
    commit(sink, DAY, rows(*range(MAY, MAY + 4 * SECOND, SECOND)))
    assert names(folder) == ["(XBTUSD_2024-05-01_00-00-00_000000.csv)"]
    commit(sink, NEXT, rows(MAY + 24 * HOUR, first=1004))
    assert len(names(folder)) == 2
    assert ids(folder) == list(range(1000, 1005))


def test_a_header_counts(made, folder):
    sink = made("68 B", header=True)  # 19 bytes of header and one line
    commit(sink, DAY, rows(*range(MAY, MAY + 3 * SECOND, SECOND)))
    assert {text.count(b"\n") for text in contents(folder).values()} == {2}
    assert all(text.startswith(b"timestamp,trade_id\n") for text in contents(folder).values())


@pytest.mark.parametrize("size", ["1 B", "24 B", "25 B", "49 B"])
def test_a_line_is_never_cut_however_small_the_size(made, folder, size):
    commit(made(size), DAY, rows(MAY, MAY, MAY, MAY + 1))
    assert set(map(len, contents(folder).values())) == {25}
    assert names(folder) == [
        "XBTUSD_2024-05-01_00-00-00_000000.csv",
        "XBTUSD_2024-05-01_00-00-00_000000_0002.csv",
        "XBTUSD_2024-05-01_00-00-00_000000_0003.csv",
        "(XBTUSD_2024-05-01_00-00-00_000000_0004.csv)",
    ]
    assert ids(folder) == [1000, 1001, 1002, 1003]


def test_text_of_several_lines_is_not_cut(tmp_path):
    sink = Csv(path=tmp_path, rotate="200 B", header=False)
    given = rules.sample("trades", rows=60)
    writer = sink.open(SCHEMAS)
    writer.write(DAY, "trades", given)
    writer.commit(DAY, {"trades": rules.prove("trades", given)})
    writer.close()
    rules.check(sink, given)
    odd = [text for text in contents(tmp_path).values() if text.count(b'"') % 2]
    assert odd == []


def test_a_new_file_begins_with_the_first_row_of_a_new_hour(made, folder):
    sink = made("1h")
    commit(sink, DAY, rows(MAY + HOUR - 1, MAY + HOUR, MAY + HOUR + 1, MAY + 5 * HOUR))
    assert names(folder) == [
        "XBTUSD_2024-05-01_00-59-59_999999.csv",
        "XBTUSD_2024-05-01_01-00-00_000000.csv",
        "(XBTUSD_2024-05-01_05-00-00_000000.csv)",
    ]
    assert ids(folder) == [1000, 1001, 1002, 1003]


def test_a_new_file_begins_at_midnight_where_the_user_lives(made, folder):
    sink = made("00:00", zone="Europe/Berlin")
    commit(sink, DAY, rows(MAY, MAY + 22 * HOUR - 1, MAY + 22 * HOUR))
    commit(sink, NEXT, rows(MAY + 24 * HOUR, MAY + 46 * HOUR, first=1003))
    assert names(folder) == [
        "XBTUSD_2024-05-01_00-00-00_000000.csv",
        "XBTUSD_2024-05-01_22-00-00_000000.csv",
        "(XBTUSD_2024-05-02_22-00-00_000000.csv)",
    ]


def test_times_that_go_back_stay_in_the_order_of_arrival(made, folder):
    sink = made("1h")
    commit(sink, NEXT, rows(MAY + 26 * HOUR))
    commit(sink, DAY, rows(MAY, MAY + 2 * HOUR, first=1001))
    commit(sink, Window("bazaar", "XBTUSD", date(2024, 5, 3)), rows(MAY + 49 * HOUR, first=1003))
    assert names(folder) == [
        "XBTUSD_2024-05-02_02-00-00_000000.csv",
        "(XBTUSD_2024-05-03_01-00-00_000000.csv)",
    ]
    assert ids(folder) == [1000, 1001, 1002, 1003]


@pytest.mark.parametrize("packing", ["gz", "zst", "zip"])
def test_a_full_file_is_compressed_and_the_growing_one_is_text(made, folder, packing):
    commit(made("100 B", compression=packing), DAY, rows(*range(MAY, MAY + 9 * SECOND, SECOND)))
    assert [name.rpartition(".")[2] for name in names(folder)] == [packing, packing, "csv)"]
    assert ids(folder) == list(range(1000, 1009))


ALL_WAYS = ("100 B", "1 KB", "10 GB", "1h", "13h", "00:00", "wednesday")


@pytest.mark.parametrize("rotate", ALL_WAYS)
@pytest.mark.few(1)
def test_live_and_history_make_the_same_files(made, tmp_path, rotate):
    """Bit for bit, whatever the batches, and however often a run begins anew."""
    random = np.random.default_rng(5)
    days = {}
    for number, window in enumerate((DAY, NEXT)):
        begin = MAY + number * 24 * HOUR
        times_of = np.sort(random.integers(begin, begin + 24 * HOUR, 500))
        days[window] = rows(*times_of, first=1000 + 500 * number)
    for window, given in days.items():
        commit(made(rotate, path=tmp_path / "history"), window, given)
    sink = made(rotate, path=tmp_path / "live")
    receipts = {}
    for window, given in days.items():
        writer = sink.open({"node": OF})
        for start in range(0, 500, 7):
            writer.write(window, "node", given.slice(start, 7))
            receipts[window] = writer.append(window, ["node"])
            if start % 70 == 0:
                writer.close()
                writer = sink.open({"node": OF})
                writer.resume(window, receipts[window])
        writer.finish(window, prove(given))
        writer.close()
    assert contents(tmp_path / "live") == contents(tmp_path / "history")
    assert list(sink.proofs("node")) == [(w, prove(given)["node"]) for w, given in days.items()]


def test_the_growing_file_goes_on_in_the_next_run(made, folder):
    sink = made("1 GB")
    commit(sink, DAY, rows(MAY, MAY + 1))
    commit(sink, NEXT, rows(MAY + 24 * HOUR, first=1002))
    assert names(folder) == ["(XBTUSD_2024-05-01_00-00-00_000000.csv)"]
    assert ids(folder) == [1000, 1001, 1002]


def test_the_growing_file_is_published_at_the_end_if_that_is_asked_for(made, folder):
    sink = made("1 GB", close_at_end=True, compression="gz")
    commit(sink, DAY, rows(MAY, MAY + 1))
    commit(sink, NEXT, rows(MAY + 24 * HOUR, first=1002))
    assert names(folder) == [
        "XBTUSD_2024-05-01_00-00-00_000000.csv.gz",
        "XBTUSD_2024-05-02_00-00-00_000000.csv.gz",
    ]
    assert ids(folder) == [1000, 1001, 1002]


def test_nothing_is_published_before_the_next_call(made, folder):
    """Until then the ledger may not know of the last rows, and they would be cut off again."""
    writer = made("50 B").open({"node": OF})
    writer.write(DAY, "node", rows(*range(MAY, MAY + 5)))
    writer.append(DAY, ["node"])
    assert [name[0] for name in names(folder)] == ["(", "(", "("]
    writer.write(DAY, "node", rows(MAY + 5, first=1005))
    writer.append(DAY, ["node"])
    assert [name[0] for name in names(folder)] == ["X", "X", "("]
    writer.abort()
    writer.close()
    assert [name[0] for name in names(folder)] == ["X", "X", "("]


def test_an_equal_window_is_there_already(made, folder):
    sink = made("100 B")
    given = rows(*range(MAY, MAY + 9))
    first = commit(sink, DAY, given)
    before = contents(folder)
    assert commit(sink, DAY, given.slice(0, 4), given.slice(4)) == first
    assert contents(folder) == before
    assert first["node"]["rows"] == 9
    assert first["node"]["files"] == [name.strip("()") for name in names(folder)]


def test_other_rows_of_a_window_go_into_a_file_of_their_own(made, folder, caplog):
    sink = made("1 GB", compression="gz")
    commit(sink, DAY, rows(MAY, MAY + 1))
    with caplog.at_level(logging.WARNING, "werks"):
        receipt = commit(sink, DAY, rows(MAY, MAY + 2, first=5000))
    assert receipt["node"]["again"] == 1
    assert receipt["node"]["files"] == ["XBTUSD_2024-05-01_00-00-00_000000.again-1.csv"]
    (line,) = caplog.messages
    assert line == (
        "node: bazaar XBTUSD 2024-05-01 was written again with other rows: they are in"
        " XBTUSD_2024-05-01_00-00-00_000000.again-1.csv; what is there stays"
    )
    assert sink.holds(DAY, "node", receipt)
    commit(sink, NEXT, rows(MAY + 24 * HOUR, first=1002))
    assert names(folder) == [
        "XBTUSD_2024-05-01_00-00-00_000000.again-1.csv.gz",
        "(XBTUSD_2024-05-01_00-00-00_000000.csv)",
    ]
    assert ids(folder) == [5000, 5001, 1000, 1001, 1002]
    assert commit(sink, DAY, rows(MAY, first=7000))["node"]["again"] == 2


def test_a_window_that_has_become_longer_is_gone_on_with(made, folder):
    sink = made("75 B")
    given = rows(*range(MAY, MAY + 7))
    commit(sink, DAY, given.slice(0, 2))
    receipt = commit(sink, DAY, given)
    assert receipt["node"]["again"] == 0
    assert ids(folder) == list(range(1000, 1007))
    assert sink.holds(DAY, "node", receipt)
    assert list(sink.proofs("node")) == [(DAY, prove(given)["node"])]
    twin = rows(*range(MAY, MAY + 8), first=2000)
    assert commit(sink, DAY, twin)["node"]["again"] == 1


def test_fewer_rows_are_other_rows(made, folder):
    sink = made("75 B")
    given = rows(*range(MAY, MAY + 7))
    commit(sink, DAY, given)
    receipt = commit(sink, DAY, given.slice(0, 3))
    assert receipt["node"]["again"] == 1
    assert commit(sink, DAY)["node"]["files"] == []
    assert list(sink.proofs("node")) == [(DAY, prove()["node"])]


def test_other_columns_are_written_anew(made, folder):
    given = rows(MAY, MAY + 1)
    commit(made("1 GB"), DAY, given)
    sink = made("1 GB", columns=("trade_id",))
    assert commit(sink, DAY, given)["node"]["again"] == 1
    commit(sink, NEXT, rows(MAY + 24 * HOUR, first=1002))
    commit(sink, Window("bazaar", "XBTUSD", date(2024, 5, 3)), rows(MAY + 48 * HOUR, first=1003))
    assert names(folder) == [
        "XBTUSD_2024-05-01_00-00-00_000000.again-1.csv",
        "XBTUSD_2024-05-01_00-00-00_000000.csv",
        "(XBTUSD_2024-05-02_00-00-00_000000.csv)",
    ]


def test_another_size_or_packing_goes_on_with_what_is_there(made, folder):
    given = rows(*range(MAY, MAY + 6))
    receipt = commit(made("50 B"), DAY, given)
    sink = made("1 GB", compression="gz")
    assert commit(sink, DAY, given) == receipt
    assert sink.holds(DAY, "node", receipt)
    commit(sink, NEXT, rows(MAY + 24 * HOUR, first=1006))
    assert ids(folder) == list(range(1000, 1007))
    rules_of = Csv(path=sink.path, rotate="1 GB")
    with pytest.raises(SinkError, match="the lines were written with other options"):
        list(rules_of.read(DAY, "node", OF))


def test_lines_that_lack_columns_are_not_read_back(made):
    sink = made("1 GB")
    commit(sink, DAY, rows(MAY))
    with pytest.raises(SinkError, match="this csv leaves out exchange, symbol, received"):
        list(sink.read(DAY, "node", OF))


def test_a_file_that_is_gone_is_noticed_and_its_rows_are_written_again(made, folder):
    sink = made("50 B")
    given = rows(*range(MAY, MAY + 5))
    receipt = commit(sink, DAY, given)
    assert sink.holds(DAY, "node", receipt)
    next(folder.glob("*.csv")).unlink()
    assert not sink.holds(DAY, "node", receipt)
    again = commit(sink, DAY, given)
    assert again["node"]["again"] == 1
    assert sink.holds(DAY, "node", again)


def test_a_growing_file_that_was_cut_by_another_program_is_named(made, folder):
    sink = made("1 GB")
    commit(sink, DAY, rows(MAY, MAY + 1))
    (path,) = (folder / "_growing").glob("*.csv")
    path.write_bytes(b"")
    with pytest.raises(SinkError, match=r"XBTUSD_2024.*has 0 bytes where 50 were written"):
        commit(sink, NEXT, rows(MAY + 24 * HOUR))
    path.unlink()
    commit(sink, NEXT, rows(MAY + 24 * HOUR))
    assert ids(folder) == [1000]


def test_the_journal_names_symbols_as_they_are(made, tmp_path):
    sink = made("1 GB")
    odd = Window("bazaar", "../x", DAY.day)
    given = rows(MAY).set_column(1, OF.field("symbol"), word("../x", 1))
    commit(sink, odd, given)
    assert [window for window, _ in sink.proofs("node")] == [odd]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_long_journal_is_written_anew(made, folder, monkeypatch):
    monkeypatch.setattr("werks_sinks.journal._SLACK", 10)
    sink = made("500 B")
    writer = sink.open({"node": OF})
    for number in range(50):
        writer.write(DAY, "node", rows(MAY + number, first=1000 + number))
        receipt = writer.append(DAY, ["node"])
    writer.close()
    text = (folder / "_growing" / "journal.jsonl").read_text()
    assert text.count("\n") < 15
    assert ids(folder) == list(range(1000, 1050))
    writer = sink.open({"node": OF})
    writer.resume(DAY, receipt)
    writer.write(DAY, "node", rows(MAY + 50, first=1050))
    proofs = prove(rows(*range(MAY, MAY + 51)))
    assert sink.holds(DAY, "node", writer.finish(DAY, proofs))
    writer.close()
    assert ids(folder) == list(range(1000, 1051))


def test_two_writers_take_turns(made, folder):
    """Nothing of one is lost in the other, though both have the folder open."""
    sink = made("60 B")
    one, two = sink.open({"node": OF}), sink.open({"node": OF})
    for number in range(6):
        window = Window("bazaar", "XBTUSD", date(2024, 5, 1 + number))
        given = rows(MAY + number * 24 * HOUR, first=1000 + number)
        for writer in (one, two):
            writer.write(window, "node", given)
            writer.commit(window, prove(given))
    one.close()
    two.close()
    assert ids(folder) == list(range(1000, 1006))


def test_rows_that_are_not_all_there_are_refused(made, folder):
    writer = made("1 GB").open({"node": OF})
    writer.write(DAY, "node", rows(MAY))
    with pytest.raises(SinkError, match="1 rows came where 2 are proven"):
        writer.commit(DAY, prove(rows(MAY, MAY + 1)))
    writer.abort()
    writer.close()
    assert list(folder.parents[2].iterdir()) == []


def test_a_journal_line_is_plain(made, folder):
    commit(made("1 GB"), DAY, rows(MAY))
    head, line = map(json.loads, (folder / "_growing" / "journal.jsonl").read_text().splitlines())
    assert head == {"werks": 1, "node": "node", "exchange": "bazaar", "symbol": "XBTUSD"}
    assert line["files"] == [["XBTUSD_2024-05-01_00-00-00_000000.csv", 0, 25]]
    assert (line["day"], line["rows"]) == ("2024-05-01", 1)
