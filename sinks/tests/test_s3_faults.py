import json
import logging
import os
import random
import re
import subprocess
import sys
import threading
import time
from datetime import date
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from werks.components import Window
from werks.errors import SinkError
from werks.testing.sink import DAY, SCHEMAS, no_rows, prove, sample
from werks_sinks.s3 import S3

_spec = spec_from_file_location("s3_server", Path(__file__).with_name("s3_server.py"))
servers = module_from_spec(_spec)
_spec.loader.exec_module(servers)
s3_server, s3_options, s3_way = servers.s3_server, servers.s3_options, servers.s3_way

CHILD = Path(__file__).with_name("s3_child.py")
DAYS = [Window("bazaar", "XBTUSD", date(2024, 5, day)) for day in range(1, 6)]
KEYS = [f"trades/bazaar/XBTUSD/{day.name}.feather" for day in DAYS]
QUICK = {"timeout": 1.0, "retry_for": 0.5}


@pytest.fixture(scope="module")
def big():
    """Rows of a file that goes in three parts."""
    return servers.noise(350_000)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def make(s3_options, s3_way, path):
    """Make a sink whose way to the server can fail."""
    given = {**s3_options, "endpoint": s3_way.endpoint, "path": path, **QUICK}
    return lambda **more: S3(**{**given, **more})


@pytest.fixture
def stored(s3_server, s3_options):
    return lambda: servers.objects(s3_server, s3_options["url"])


@pytest.fixture
def undisturbed(s3_server, s3_options, tmp_path):
    """What another prefix holds after the same days without any fault."""
    url = f"{s3_options['url']}-undisturbed"
    writer = S3(**{**s3_options, "url": url}, path=tmp_path / "calm").open(SCHEMAS)
    for day in DAYS:
        commit(writer, day)
    writer.close()
    return servers.objects(s3_server, url)


def rows_of(window):
    return sample("trades", window, rows=50, seed=window.day.day)


def commit(writer, window, *batches):
    batches = batches or (rows_of(window),)
    for batch in batches:
        writer.write(window, "trades", batch)
    return writer.commit(window, {"trades": prove("trades", *batches)})


def left(folder):
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


def lines(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "werks"]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (503, "answers 503"),
        (500, "answers 500"),
        ("hole", "does not answer in time"),
        ("reset", "cannot be reached|breaks connections off"),
    ],
)
@pytest.mark.few(1)
def test_an_outage_fails_no_commit_and_is_caught_up_with(
    make, stored, s3_way, path, undisturbed, caplog, fault, said
):
    sink = make()
    writer = sink.open(SCHEMAS)
    receipts = {DAYS[0]: commit(writer, DAYS[0])}
    s3_way.mode = fault
    for day in DAYS[1:4]:
        receipts[day] = commit(writer, day)
        assert receipts[day]["trades"]["pending"]
        assert sink.holds(day, "trades", receipts[day])
    (told,) = lines(caplog)
    assert re.search(said, told)
    assert str(path) in told
    s3_way.mode = "pass"
    time.sleep(0.6)
    receipts[DAYS[4]] = commit(writer, DAYS[4])
    assert stored() == undisturbed
    assert left(path) == []
    writer.close()
    twin = make()
    assert all(twin.holds(day, "trades", receipts[day]) for day in DAYS)
    assert lines(caplog) == [told]


@pytest.mark.parametrize("when", ["close", "due", "open"])
@pytest.mark.few(2)
def test_what_waits_is_sent_at_the_end_or_at_the_next_beginning(
    make, stored, s3_way, path, undisturbed, caplog, when
):
    s3_way.mode = 503
    writer = make().open(SCHEMAS)
    for day in DAYS:
        commit(writer, day)
    if when == "close":
        s3_way.mode = "pass"
        writer.close()
    else:
        writer.close()
        assert "still wait for s3://werks/" in lines(caplog)[-1]
        assert len(left(path)) == 10
        s3_way.mode = "pass"
        if when == "open":
            make().open(SCHEMAS).close()
        else:
            make().send_due()
    assert stored() == undisturbed
    assert left(path) == []
    asked = len(s3_way.seen)
    make().send_due()
    assert len(s3_way.seen) == asked


def test_commits_do_not_wait_again_for_a_store_that_was_just_away(make, s3_way):
    s3_way.mode = "hole"
    writer = make(timeout=1.0, retry_for=0.1).open(SCHEMAS)
    began = time.monotonic()
    for day in DAYS * 2:
        commit(writer, day)
    assert time.monotonic() - began < 7
    s3_way.mode = "pass"
    writer.close()


@pytest.mark.long
def test_an_outage_takes_retry_for_once_and_then_only_short_questions(make, s3_way):
    s3_way.mode = 503
    writer = make(retry_for=2.0).open(SCHEMAS)  # which takes them
    began = time.monotonic()
    for day in DAYS:
        time.sleep(0.3)
        assert commit(writer, day)["trades"]["pending"]
    assert time.monotonic() - began < 4
    s3_way.mode = "pass"
    writer.close()


@pytest.mark.long
def test_what_was_sent_is_trusted_while_the_store_cannot_be_asked(make, s3_way, caplog):
    writer = make().open(SCHEMAS)
    receipts = {day: commit(writer, day) for day in DAYS}
    writer.close()
    s3_way.mode = "hole"
    sink, began = make(), time.monotonic()
    assert all(sink.holds(day, "trades", receipts[day]) for day in DAYS)
    assert time.monotonic() - began < 4
    assert "what was sent and verified is taken to be there still" in "".join(lines(caplog))
    assert len(lines(caplog)) == 1
    for ask in (sink.proofs("trades"), sink.read(DAY, "trades", SCHEMAS["trades"])):
        with pytest.raises(SinkError, match=r"s3://werks/\S+ does not answer in time; run again"):
            list(ask)


def test_what_was_due_in_an_outage_is_sent_after_it(make, stored, s3_way):
    s3_way.mode = 503
    writer = make(upload="at 00:00").open(SCHEMAS)
    commit(writer, DAYS[0])
    tomorrow = time.time() + 86_400
    writer.sending.clock = lambda: tomorrow
    commit(writer, DAYS[1])
    s3_way.mode = "pass"
    time.sleep(1.5)
    commit(writer, DAYS[2])
    assert KEYS[0] in stored()
    writer.close()


def test_emptied_windows_wait_as_well(make, stored, s3_way):
    sink = make()
    writer = sink.open(SCHEMAS)
    commit(writer, DAY)
    s3_way.mode = 503
    receipt = writer.commit(DAY, no_rows("trades"))
    assert receipt["trades"]["pending"]
    assert sink.holds(DAY, "trades", receipt)
    assert list(sink.read(DAY, "trades", SCHEMAS["trades"])) == []
    s3_way.mode = "pass"
    writer.close()
    assert list(stored()) == ["trades/bazaar/XBTUSD/_receipts/2024-05-01.feather.json"]
    assert sink.holds(DAY, "trades", receipt)


def test_live_rows_are_taken_during_an_outage(make, stored, s3_way):
    s3_way.mode = 503
    sink = make()
    writer = sink.open(SCHEMAS)
    writer.resume(DAY, {})
    for seed in range(3):
        writer.write(DAY, "trades", sample("trades", seed=seed))
        receipt = writer.append(DAY, ["trades"])
    assert sink.holds(DAY, "trades", receipt)
    batches = [sample("trades", seed=seed) for seed in range(3)]
    receipt = writer.finish(DAY, {"trades": prove("trades", *batches)})
    assert receipt["trades"]["pending"]
    assert sink.holds(DAY, "trades", receipt)
    s3_way.mode = "pass"
    writer.close()
    assert KEYS[0] in stored()


def test_a_day_that_lies_in_the_bucket_alone_is_not_gone_on_with_in_an_outage(make, s3_way):
    writer = make().open(SCHEMAS)
    receipt = commit(writer, DAY)
    s3_way.mode = 503
    with pytest.raises(
        SinkError, match=r"2024-05-01.feather is needed and answers 503.*; run again"
    ):
        writer.resume(DAY, receipt)
    s3_way.mode = "pass"
    writer.resume(DAY, receipt)
    writer.write(DAY, "trades", sample("trades"))
    assert writer.append(DAY, ["trades"])["trades"]["rows"] == 90
    writer.close()


def test_rows_that_lie_in_the_bucket_alone_are_never_lost_in_an_outage(make, s3_way, stored):
    writer = make().open(SCHEMAS)
    commit(writer, DAY)
    good = stored()
    s3_way.mode = 503
    writer.write(DAY, "trades", sample("trades"))
    writer.append(DAY, ["trades"])
    whole = prove("trades", rows_of(DAY), sample("trades"))
    with pytest.raises(SinkError, match="40 rows came where 90 are proven; nothing was replaced"):
        writer.finish(DAY, {"trades": whole})
    s3_way.mode = "pass"
    writer.close()
    assert stored() == good


@pytest.mark.parametrize("mark", [b"PUT ", b"partNumber=3", b"uploadId"])
@pytest.mark.few(1)
def test_a_connection_that_is_cut_is_made_again(make, stored, s3_way, caplog, big, mark):
    s3_way.cut.append(mark)
    writer = make(part_size="5 MiB", timeout=20.0, retry_for=5.0).open(SCHEMAS)
    receipt = commit(writer, DAY, big)
    writer.close()
    assert s3_way.cut == []
    assert not receipt["trades"]["pending"]
    assert receipt["trades"]["etag"].endswith("-3")
    assert lines(caplog) == []
    assert len(stored()[KEYS[0]]) == receipt["trades"]["bytes"]


def test_a_part_that_is_lost_for_good_leaves_the_file_to_wait(make, stored, s3_way, path, big):
    s3_way.cut += [b"partNumber=3"] * 1000
    writer = make(part_size="5 MiB", timeout=20.0).open(SCHEMAS)
    receipt = commit(writer, DAY, big)
    assert receipt["trades"]["pending"]
    assert stored() == {}
    s3_way.cut.clear()
    writer.close()
    assert len(stored()[KEYS[0]]) == receipt["trades"]["bytes"]
    assert make().holds(DAY, "trades", receipt)
    assert left(path) == []


def test_a_server_that_is_killed_and_started_again_has_all(tmp_path, caplog):
    with servers.serving(tmp_path / "server") as server:
        server.make_bucket(servers.BUCKET)
        options = {**server.options("some/prefix"), **QUICK}
        sink = S3(**options, path=tmp_path / "spool")
        writer = sink.open(SCHEMAS)
        receipts = [commit(writer, DAYS[0])]
        server.kill()
        receipts += [commit(writer, day) for day in DAYS[1:4]]
        server.start()
        server.make_bucket(servers.BUCKET)  # it answers before it can store anything
        time.sleep(0.6)
        receipts.append(commit(writer, DAYS[4]))
        writer.close()
        assert "cannot be reached" in lines(caplog)[0]
        found = servers.objects(server, options["url"])
        assert sorted(key for key in found if "_receipts" not in key) == KEYS
        twin = S3(**options, path=tmp_path / "other")
        for day, receipt in zip(DAYS, receipts, strict=True):
            assert twin.holds(day, "trades", receipt)
            (batch,) = twin.read(day, "trades", SCHEMAS["trades"])
            assert prove("trades", batch) == prove("trades", rows_of(day))


def test_more_than_the_limit_ends_the_run_and_loses_nothing(make, stored, s3_way, undisturbed):
    s3_way.mode = 503
    writer = make(spool_limit="8 kB").open(SCHEMAS)
    with pytest.raises(SinkError, match=r"wait for s3://werks/\S*, which answers 503") as raised:
        list(map(partial(commit, writer), DAYS))
    assert "\n" not in str(raised.value)
    assert "spool_limit" in str(raised.value)
    writer.abort()
    writer.close()
    s3_way.mode = "pass"
    writer = make(spool_limit="8 kB").open(SCHEMAS)
    for day in DAYS:
        commit(writer, day)
    writer.close()
    assert stored() == undisturbed


def test_at_the_limit_files_are_sent_before_their_time(make, stored, caplog):
    writer = make(spool_limit="8 kB", upload="at 00:00").open(SCHEMAS)
    for day in DAYS:
        commit(writer, day)
    writer.close()
    assert KEYS[0] in stored()
    assert "spool_limit is reached, so it is sent now" in lines(caplog)[0]


def test_a_full_disk_is_named_and_what_was_sent_stays(make, stored, small_disk, big):
    sink = make(path=small_disk / "spool")
    writer = sink.open(SCHEMAS)
    receipt = commit(writer, DAYS[0])
    with pytest.raises(SinkError, match=f"{small_disk}.* full"):
        commit(writer, DAYS[1], big)
    writer.abort()
    assert not writer.commit(DAYS[2], no_rows("trades"))["trades"]["pending"]
    commit(writer, DAYS[3])
    writer.close()
    assert left(small_disk) == []
    assert sink.holds(DAYS[0], "trades", receipt)
    assert [key for key in stored() if "_receipts" not in key] == [KEYS[0], KEYS[3]]


REFUSALS = [
    ({"secret_key": "not-the-secret"}, "the secret key is wrong; mend secret_key"),
    ({"access_key": "nobody"}, "the access key is not known there; mend access_key"),
    ({"url": "s3://no-such-bucket/x"}, "s3://no-such-bucket\\S*: there is no such bucket; make"),
]


@pytest.mark.parametrize(("wrong", "said"), REFUSALS)
def test_what_waiting_does_not_mend_is_an_error_at_once(make, path, caplog, wrong, said):
    with pytest.raises(SinkError, match=said) as raised:
        make(**wrong).open(SCHEMAS)
    text = str(raised.value)
    assert "\n" not in text
    assert "secret" not in text.replace("secret_key", "").replace("secret key", "")
    assert raised.value.__cause__ is None
    assert lines(caplog) == []
    assert not path.exists()


def test_keys_that_may_only_read_are_refused_at_the_first_commit(make, stored, path):
    keys = {"access_key": servers.READER, "secret_key": servers.READER_SECRET}
    writer = make(**keys).open(SCHEMAS)
    with pytest.raises(SinkError, match="forbidden; give credentials that may get, put, delete"):
        commit(writer, DAY)
    writer.abort()
    writer.close()
    make().open(SCHEMAS).close()
    assert KEYS[0] in stored()


def test_no_secret_is_in_any_text(make, s3_way, caplog, stored):
    caplog.set_level(logging.DEBUG)
    sink = make()
    s3_way.mode = 503
    writer = sink.open(SCHEMAS)
    receipt = commit(writer, DAY)
    s3_way.mode = "pass"
    writer.close()
    texts = [repr(sink), repr(sink._bucket), repr(writer.sending), json.dumps(receipt)]
    texts += [caplog.text, *(content.decode("latin1") for content in stored().values())]
    assert not any(servers.SECRET in text for text in texts)


@pytest.mark.long
def test_two_runs_that_send_the_same_windows_leave_whole_objects(
    s3_options, stored, undisturbed, tmp_path
):
    options = [{**s3_options, "path": str(tmp_path / name)} for name in ("one", "one", "two")]
    calls = [[sys.executable, str(CHILD), json.dumps(each), "5", "50"] for each in options]
    children = [subprocess.Popen(call, stderr=subprocess.PIPE, text=True) for call in calls]
    for child in children:
        _, said = child.communicate(timeout=60)
        assert (child.returncode, said) == (0, "")
    assert stored() == undisturbed
    assert left(tmp_path / "one") == left(tmp_path / "two") == []


def killed_at_random_moments(s3_options, path, times):
    """Kill runs of five days at random moments, each of which begins all anew; then let one end."""
    call = [sys.executable, str(CHILD), json.dumps({**s3_options, "path": str(path)}), "5", "50"]
    for _ in range(times):
        with subprocess.Popen(call, stdout=subprocess.PIPE) as child:
            for _ in range(random.randint(1, 5)):  # it begins, and after so many days
                child.stdout.readline()
            time.sleep(random.uniform(0, 0.05))
            child.kill()
    subprocess.run(call, check=True, stdout=subprocess.PIPE, timeout=60)


@pytest.mark.long
def test_runs_killed_at_random_moments_leave_what_an_undisturbed_one_does(
    s3_options, stored, undisturbed, path
):
    killed_at_random_moments(s3_options, path, times=2)
    assert stored() == undisturbed
    assert left(path) == []


@pytest.mark.long
def test_many_kills(s3_options, stored, undisturbed, path):
    for _ in range(20):
        killed_at_random_moments(s3_options, path, times=10)
        assert stored() == undisturbed
        assert left(path) == []


@pytest.mark.long
def test_a_run_killed_while_it_sends_a_large_file_sends_it_again(
    make, s3_options, s3_way, stored, path
):
    options = {**s3_options, "endpoint": s3_way.endpoint, "path": str(path), "timeout": 60.0}
    given = json.dumps({**options, "format": "csv", "part_size": "5 MiB"})
    call = [sys.executable, str(CHILD), given, "1", "100000"]
    s3_way.stop_at = b"partNumber=2"
    with subprocess.Popen(call, stdout=subprocess.PIPE) as child:
        assert s3_way.stopped.wait(60)
        child.kill()
    s3_way.stop_at = b""
    assert stored() == {}
    assert len(left(path)) >= 2
    sink = make(format="csv", part_size="5 MiB", timeout=30.0)
    done = sink.send()
    assert done.sent == (KEYS[0].replace("feather", "csv"),)
    assert left(path) == []
    rows = sample("trades", DAYS[0], rows=100_000, seed=1)
    found = [prove("trades", *sink.read(DAYS[0], "trades", SCHEMAS["trades"]))]
    assert found == [prove("trades", rows)]


def test_an_object_that_was_altered_is_noticed_and_mended(make, s3_server, s3_options, stored):
    import obstore

    writer = make().open(SCHEMAS)
    receipt = commit(writer, DAY)
    size, key = receipt["trades"]["bytes"], f"{s3_options['url'].split('/', 3)[3]}/{KEYS[0]}"
    good = stored()
    obstore.put(s3_server.client(servers.BUCKET), key, os.urandom(size))
    assert not make().holds(DAY, "trades", receipt)
    commit(writer, DAY)
    writer.close()
    assert stored() == good


def test_a_damaged_proof_of_what_waits_is_named(make, path):
    writer = make(upload="at 00:00").open(SCHEMAS)
    commit(writer, DAY)
    writer.close()
    (proof,) = path.rglob("*.json")
    proof.write_text("{")
    with pytest.raises(SinkError, match=r"_receipts/2024-05-01.feather.json is damaged"):
        make().send()


def test_a_commit_waits_for_another_process_that_sends_the_same_window(make, path):
    sink = make()
    held = sink._pending.held(sink._pending.entry(DAY, "trades"))
    writer, done = sink.open(SCHEMAS), threading.Event()
    thread = threading.Thread(target=lambda: (commit(writer, DAY), done.set()))
    with held:
        thread.start()
        assert not done.wait(0.3)
    assert done.wait(10)
    thread.join()
    writer.close()
    assert left(path) == []
