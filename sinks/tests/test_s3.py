import json
import os
import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import obstore
import pyarrow as pa
import pytest

from werks.components import Window
from werks.errors import SinkError
from werks.options import structure
from werks.testing.sink import DAY, REMAINDER, SCHEMAS, SinkTests, no_rows, prove, sample
from werks_sinks.csv import Csv
from werks_sinks.feather import Feather
from werks_sinks.parquet import Parquet
from werks_sinks.s3 import S3


def _loaded(name):
    spec = spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


servers, rules = _loaded("s3_server"), _loaded("segment_rules")
s3_server, s3_options, s3_way = servers.s3_server, servers.s3_options, servers.s3_way
objects, noise = servers.objects, servers.noise
FOLDER = "trades/bazaar/XBTUSD"
KEY, RECEIPT = f"{FOLDER}/2024-05-01.feather", f"{FOLDER}/_receipts/2024-05-01.feather.json"


def table(sink, window=DAY, node="trades"):
    batches = list(sink.read(window, node, SCHEMAS[node]))
    return pa.Table.from_batches(batches, SCHEMAS[node]) if batches else None


def files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def put(sink, window, *batches):
    writer = sink.open(SCHEMAS)
    try:
        for batch in batches:
            writer.write(window, "trades", batch)
        return writer.commit(window, {"trades": prove("trades", *batches)})
    finally:
        writer.close()


class TestS3(SinkTests):
    @pytest.fixture
    def sink(self, s3_options, tmp_path):
        return S3(**s3_options, path=tmp_path / "spool")

    def rows(self, sink, window, node):
        return table(sink, window, node)


@pytest.mark.long
class TestS3AtMidnight(SinkTests):
    """All of it waits on the disk."""

    @pytest.fixture
    def sink(self, s3_options, tmp_path):
        return S3(**s3_options, path=tmp_path / "spool", upload="at 00:00")

    def rows(self, sink, window, node):
        return table(sink, window, node)


@pytest.mark.long
class TestS3Live(rules.SegmentRules):
    @pytest.fixture
    def sink(self, s3_options, tmp_path):
        return S3(**s3_options, path=tmp_path / "spool")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def make(s3_options, path):
    return lambda **more: S3(**{**s3_options, "path": path, **more})


@pytest.fixture
def stored(s3_server, s3_options):
    """The objects that there are, by key."""
    return lambda: objects(s3_server, s3_options["url"])


@pytest.mark.parametrize(
    ("kind", "options"),
    [(Feather, {}), (Parquet, {"amounts": "float64"}), (Csv, {"timestamps": "ns"})],
)
def test_objects_are_the_files_that_the_format_writes(make, stored, path, tmp_path, kind, options):
    name = kind.__name__.lower()
    put(make(format=name, options=options), DAY, sample("trades"))
    put(kind(path=tmp_path / "files", **options), DAY, sample("trades"))
    given = {name: (tmp_path / "files" / name).read_bytes() for name in files(tmp_path / "files")}
    found = stored()
    assert sorted(found) == sorted(given) == [f"{FOLDER}/2024-05-01.{name}", *list(found)[1:]]
    assert found[f"{FOLDER}/2024-05-01.{name}"] == given[f"{FOLDER}/2024-05-01.{name}"]
    assert not path.exists()


def test_the_proof_lies_beside_the_object_with_what_was_verified(make, stored):
    receipt = put(make(), DAY, sample("trades"))["trades"]
    found = stored()
    assert list(found) == [KEY, RECEIPT]
    proof = json.loads(found[RECEIPT])
    assert proof["rows"] == 40
    assert proof["hash"] == prove("trades", sample("trades")).hash
    assert [proof[name] for name in ("node", "exchange", "symbol", "window")] == [
        *("trades", "bazaar", "XBTUSD", "2024-05-01")
    ]
    size = len(found[KEY])
    etag = proof["object"]["etag"]
    told = {"rows": 40, "bytes": size, "key": KEY, "etag": etag, "pending": False}
    assert receipt == told
    assert proof["object"] == {"bytes": size, "etag": receipt["etag"], "mark": receipt["etag"]}


def test_large_files_are_sent_in_parts_and_verified(make, s3_server, s3_options):
    rows = noise(350_000)
    sink = make(part_size="5 MiB")
    receipt = put(sink, DAY, rows)
    assert receipt["trades"]["etag"].endswith("-3")
    assert sink.holds(DAY, "trades", receipt)
    assert table(sink).equals(pa.Table.from_batches([rows], SCHEMAS["trades"]))


def test_our_own_mark_is_the_etag_of_any_size(make, s3_server, tmp_path):
    bucket = make(part_size="5 MiB")._bucket
    client, part = s3_server.client(servers.BUCKET), 5 << 20
    for size in (0, 1, part - 1, part, part + 1, 2 * part, 2 * part + 7):
        (tmp_path / "file").write_bytes(os.urandom(size))
        there, mark = bucket.upload("some/key", tmp_path / "file", 1)
        assert (there.bytes, there.etag) == (size, mark)
    assert obstore.head(client, f"{bucket.prefix}/some/key")["size"] == size


def test_an_emptied_window_leaves_its_proof_alone(make, stored):
    sink = make()
    put(sink, DAY, sample("trades"))
    receipt = put(sink, DAY)
    assert list(stored()) == [RECEIPT]
    assert json.loads(stored()[RECEIPT])["rows"] == 0
    assert sink.holds(DAY, "trades", receipt)
    assert [(w, p.rows) for w, p in sink.proofs("trades")] == [(DAY, 0)]


def test_an_emptied_remainder_leaves_nothing(make, stored, path):
    for upload in ("on_close", "at 00:00"):
        sink = make(upload=upload)
        put(sink, REMAINDER, sample("trades"))
        put(sink, REMAINDER)
        sink.send()
        assert list(sink.proofs("trades")) == []
        assert stored() == {}
        assert not any(path.rglob("*"))


@pytest.mark.parametrize("local", ["keep", "move"])
def test_local_copies_stay_a_sink_of_files(make, path, tmp_path, local):
    move = {"move_to": tmp_path / "moved"} if local == "move" else {}
    sink = make(local=local, **move)
    put(sink, DAY, sample("trades"))
    (place,) = {p.parents[3] for p in tmp_path.rglob("*.feather")}
    assert place == tmp_path / "moved" if local == "move" else path in place.parents
    kept = Feather(path=place)
    assert table(kept) == table(sink)
    assert dict(kept.proofs("trades")) == dict(sink.proofs("trades"))
    put(sink, DAY)
    assert list(tmp_path.rglob("*.feather")) == []
    assert [proof.rows for _, proof in kept.proofs("trades")] == [0]


def test_a_file_is_moved_to_another_disk(make, small_disk):
    put(make(local="move", move_to=small_disk / "moved"), DAY, sample("trades"))
    assert files(small_disk) == [f"moved/{KEY}", f"moved/{RECEIPT}"]


def test_a_kept_copy_is_read_only_while_it_is_the_object(make, s3_way):
    sink = make(local="keep", endpoint=s3_way.endpoint)
    put(sink, DAY, sample("trades"))
    assert table(sink).num_rows == 40
    assert not [
        line for line in s3_way.seen if line.startswith(b"GET /werks/") and b"?" not in line
    ]
    put(make(), DAY, sample("trades", rows=7))
    assert table(make(local="keep")).num_rows == 7


def test_an_object_that_is_there_is_not_sent_again(make, s3_way):
    put(make(), DAY, sample("trades"))
    put(make(endpoint=s3_way.endpoint), DAY, sample("trades"))
    assert not any(line.startswith(b"PUT") and KEY.encode() in line for line in s3_way.seen)


def test_a_file_killed_between_its_sending_and_its_removal_is_not_sent_again(make, s3_way, path):
    put(make(upload="at 00:00"), DAY, sample("trades"))
    left = {name: (path / name).read_bytes() for name in files(path)}
    make().send()
    for name, content in left.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    done = make(endpoint=s3_way.endpoint).send()
    assert (done.sent, done.waiting) == ((KEY,), ())
    assert not any(line.startswith(b"PUT") and KEY.encode() in line for line in s3_way.seen)
    assert files(path) == []


def test_a_proof_whose_file_was_removed_after_sending_is_put_away(make, path, stored):
    put(make(upload="at 00:00"), DAY, sample("trades"))
    (proof,) = path.rglob("*.json")
    content = proof.read_bytes()
    make().send()
    before = stored()
    proof.parent.mkdir(parents=True)
    proof.write_bytes(content)
    assert make().send().waiting == ()
    assert stored() == before
    assert files(path) == []


def test_an_object_of_another_version_is_not_replaced(make, s3_server, s3_options):
    prefix = s3_options["url"].removeprefix("s3://werks/")
    client = s3_server.client(servers.BUCKET)
    obstore.put(client, f"{prefix}/{KEY}", b"rows", attributes={"werks-version": "0"})
    with pytest.raises(SinkError, match=r"2024-05-01.feather holds rows of version 0, .*move"):
        put(make(), DAY, sample("trades"))


def test_files_wait_for_the_time_of_day(make, path, stored):
    sink = make(upload="at 02:00", zone="Europe/Berlin")
    receipt = put(sink, DAY, sample("trades"))
    assert receipt["trades"]["pending"]
    assert stored() == {}
    made = datetime(2024, 7, 1, 12, 0, tzinfo=UTC)
    (proof,) = path.rglob("*.json")
    os.utime(proof, (made.timestamp(),) * 2)
    due = datetime(2024, 7, 2, 0, 0, tzinfo=UTC)  # two o'clock in summer
    early = sink.send(now=(due - timedelta(seconds=1)).timestamp())
    assert (early.sent, early.waiting) == ((), (KEY,))
    assert early.bytes == receipt["trades"]["bytes"]
    assert sink.holds(DAY, "trades", receipt)
    done = sink.send(now=due.timestamp())
    assert (done.sent, done.waiting, done.bytes) == ((KEY,), (), 0)
    assert list(stored()) == [KEY, RECEIPT]
    assert make(upload="at 02:00").holds(DAY, "trades", receipt)


def test_the_next_commit_after_the_time_of_day_sends_what_waits(make, stored):
    writer = make(upload="at 00:00").open(SCHEMAS)
    for day in (1, 2, 3):
        window = Window("bazaar", "XBTUSD", date(2024, 5, day))
        writer.write(window, "trades", sample("trades", window))
        writer.commit(window, {"trades": prove("trades", sample("trades", window))})
        assert stored() == {}
    now = datetime.now(UTC)
    writer.sending.clock = (now + timedelta(days=1)).timestamp
    writer.commit(REMAINDER, no_rows("trades"))
    assert len(stored()) == 6
    writer.close()


def test_a_clock_that_was_set_back_keeps_nothing_from_being_sent(make, path, stored):
    sink = make(upload="at 00:00")
    put(sink, DAY, sample("trades"))
    (proof,) = path.rglob("*.json")
    now = datetime(2024, 7, 1, 12, 0, tzinfo=UTC).timestamp()
    os.utime(proof, (now + 86_400 * 365,) * 2)
    assert sink.send(now=now).waiting == ()
    assert list(stored()) == [KEY, RECEIPT]


@pytest.mark.long
def test_a_year_of_days_is_checked_with_one_listing(make, s3_way):
    days = [Window("bazaar", "XBTUSD", date(2024, 1, 1) + timedelta(n)) for n in range(60)]
    writer, receipts = make().open(SCHEMAS), {}
    for window in days:
        writer.write(window, "trades", sample("trades", window, rows=2))
        proof = prove("trades", sample("trades", window, rows=2))
        receipts[window] = writer.commit(window, {"trades": proof})
    writer.close()
    sink = make(endpoint=s3_way.endpoint)
    assert all(sink.holds(window, "trades", receipts[window]) for window in days)
    assert len(s3_way.seen) == 1
    assert len(dict(sink.proofs("trades"))) == 60


def test_a_window_is_seen_in_the_bucket_once_it_is_finished(make, stored, path):
    writer = make().open(SCHEMAS)
    writer.write(DAY, "trades", sample("trades"))
    receipt = writer.append(DAY, ["trades"])
    assert stored() == {}
    assert make().holds(DAY, "trades", receipt)
    writer.write(DAY, "trades", sample("trades", seed=7))
    proof = prove("trades", sample("trades"), sample("trades", seed=7))
    writer.finish(DAY, {"trades": proof})
    writer.close()
    assert list(stored()) == [KEY, RECEIPT]
    assert make().holds(DAY, "trades", receipt)
    assert files(path) == []


def test_days_left_as_segments_are_sent_when_they_are_compacted(make, stored):
    writer = make().open(SCHEMAS)
    writer.write(DAY, "trades", sample("trades"))
    writer.append(DAY, ["trades"])
    writer.close()
    writer = make().open(SCHEMAS)
    assert list(writer.compact(date(2024, 6, 1))) == [(DAY, "trades", 40)]
    writer.close()
    assert list(stored()) == [KEY, RECEIPT]


def test_two_buckets_wait_apart(make, path, s3_options):
    other = make(upload="at 00:00", url=s3_options["url"] + "/other")
    put(make(upload="at 00:00"), DAY, sample("trades"))
    put(other, DAY, sample("trades", rows=7))
    assert other.send().sent == (KEY,)
    assert table(other).num_rows == 7
    assert table(make()).num_rows == 40


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"url": "bucket/prefix"}, r'an address like "s3://bucket/prefix"'),
        ({"url": "s3://key:topsecret@bucket"}, "keys do not belong here"),
        ({"url": "s3://bucket/a/../b"}, "without empty parts"),
        ({"url": "s3://bucket/a//b"}, "without empty parts"),
        ({"endpoint": "http://key:topsecret@host"}, "keys do not belong here"),
        ({"endpoint": "localhost:8333"}, 'an address like "https://'),
        ({"format": "xml"}, "must be one of"),
        ({"options": {"amount": "float64"}}, 'did you mean "amounts"'),
        ({"options": {"path": "elsewhere"}}, "path does not belong here"),
        ({"format": "csv", "options": {"rotate": "1h"}}, "only files of a day"),
        ({"upload": "at noon"}, '"on_close" or "at 00:00"'),
        ({"upload": "at 1h"}, '"on_close" or "at 00:00"'),
        ({"upload": "at 00:00", "zone": "Nowhere"}, "Europe/Berlin"),
        ({"spool_limit": "much"}, "a size like"),
        ({"part_size": "1 MB"}, "5 MiB"),
        ({"local": "move"}, "only with it"),
        ({"move_to": "elsewhere"}, "only with it"),
        ({"access_key": "half"}, "together with secret_key"),
        ({"timeout": 0.0}, "0 to 3600 seconds"),
    ],
)
def test_a_wrong_option_is_named(wrong, said):
    made, problems = structure(S3, {"url": "s3://bucket", **wrong})
    assert made is None
    (((name, what)),) = problems
    assert name in {*wrong, "access_key", "move_to"}
    assert re.search(said, what)
    assert "topsecret" not in what


def test_without_the_client_it_says_what_to_install(tmp_path):
    code = (
        "import sys; sys.modules['obstore'] = None\n"
        "from werks_sinks.s3 import S3\n"
        "S3(url='s3://bucket').open({})"
    )
    call = [sys.executable, "-c", code]
    done = subprocess.run(call, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stderr.endswith("the sink s3 needs obstore: pip install 'werks-sinks[s3]'\n")


def test_a_pool_of_processes_does_not_fork_the_client(make, s3_server):
    """A fork would leave the client's threads behind, and its first request would never end."""
    from werks.executors.processes import Processes

    sink = make()
    receipt = put(sink, DAY, sample("trades"))
    assert sink.holds(DAY, "trades", receipt)
    with Processes().executor(2) as pool:
        assert pool.submit(sink.holds, DAY, "trades", receipt).result(60)
