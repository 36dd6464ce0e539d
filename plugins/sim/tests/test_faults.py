"""Each fault does what its name says, on the days that are faulty, and nothing else."""

from datetime import date, timedelta

import pyarrow as pa
import pytest

from werks.archive import ByteStream, fetched
from werks.errors import ChecksumError, DataError, MessageError
from werks_sim import Exchange, Trades
from werks_sim.market import START

DAY = timedelta(days=1)


def _files(door, http=None, days=1):
    return list(door.files(["BTCUSD"], START, START + days * DAY, http))


def _ids(*faults, file=0, http=None):
    door = Trades(trades_per_day=5000, faults=faults, faulty_days=(START,))
    return [int(text) for text in _column(door, _files(door, days=2)[file], "trade_id")]


def _column(door, file, name, http=None):
    content = None if http else door.content
    with fetched(file, http, content=content) as path, ByteStream(path, file.url) as stream:
        return pa.Table.from_batches(door.read(file, stream, ["BTCUSD"]))[name].to_pylist()


@pytest.fixture(scope="module")
def whole():
    return _ids()


def test_repeat_writes_some_rows_twice(whole):
    ids = _ids("repeat")
    assert len(ids) == len(whole) + -(-len(whole) // 200)
    assert sorted(set(ids)) == whole
    assert ids == sorted(ids)


def test_disorder_moves_rows_by_a_few_places(whole):
    ids = _ids("disorder")
    assert ids != whole
    assert sorted(ids) == whole
    strays = [abs(place - (trade - whole[0])) for place, trade in enumerate(ids)]
    assert 0 < max(strays) < 8


def test_newest_first_turns_the_file_round(whole):
    assert _ids("newest_first") == whole[::-1]


def test_a_hole_leaves_out_ids_in_one_place(whole):
    ids = _ids("hole")
    gone = sorted(set(whole) - set(ids))
    assert len(gone) == len(whole) // 100
    assert gone == list(range(gone[0], gone[-1] + 1))
    assert ids == sorted(ids)


def test_faults_add_up(whole):
    ids = _ids("hole", "repeat", "newest_first")
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) < len(whole)
    assert len(ids) > len(set(ids))


def test_a_truncated_file_cannot_be_unpacked():
    with pytest.raises(MessageError, match=r"BTCUSD-2024-01-01\.csv\.gz: .*cut off"):
        _ids("truncated")


def test_a_mangled_file_is_known_by_its_number():
    with pytest.raises(DataError, match=r"BTCUSD-2024-01-01\.csv\.gz: .*spreadsheet"):
        _ids("mangled")


def test_a_wrong_checksum_is_published(loopback, http):
    exchange = Exchange(trades_per_day=100, faults=("checksum",), faulty_days=(START,))
    for path, body in exchange.published("BTCUSD", START, START + 2 * DAY):
        loopback.put(path, body)
    door = Trades(trades_per_day=100, archive_url=loopback.url)
    bad, good = _files(door, http, days=2)
    assert len(_column(door, good, "trade_id", http)) > 0
    with pytest.raises(ChecksumError, match=r"BTCUSD-2024-01-01\.csv\.gz"):
        _column(door, bad, "trade_id", http)


def test_a_wrong_checksum_is_made_on_the_spot_too():
    with pytest.raises(ChecksumError, match=r"BTCUSD-2024-01-01\.csv\.gz"):
        _ids("checksum")


def test_a_missing_day_is_not_listed():
    second = date(2024, 1, 2)
    files = _files(Trades(faults=("missing_day",), faulty_days=(second,)), days=3)
    assert [file.start for file in files] == [START, date(2024, 1, 3)]
    assert _files(Trades(faults=("missing_day",)), days=3) == []


def test_other_days_have_no_faults():
    faults = ("repeat", "disorder", "newest_first", "hole", "mangled", "truncated", "checksum")
    ids = _ids(*faults, file=1)
    assert ids == list(range(ids[0], ids[0] + len(ids)))
