"""What a live run tells over HTTP: a real server, asked by real requests."""

import http.client
import json
import re
import socket
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from werks import cli
from werks.config import Settings, address
from werks.errors import WerksError
from werks.live import watch as room
from werks.live.watch import Watch
from werks.options import structure
from werks.pipeline.until import LiveFigures

SHOP = Path(__file__).with_name("shop.py")
STREAM = {
    "exchange": "sim",
    "symbol": 'BTC"\\\nUSD',
    "component": "sim.trades",
    "connected": True,
    "rows": 1234,
    "rows_per_second": 12.5,
    "lag": 0.25,
    "last_time": 1_704_153_600_000_000_000,
    "last_id": "77",
    "held": 3,
    "holes": 1,
    "gaps_open": 2,
    "reconnects": 4,
    "waits": "",
    "lost": "",
    "refused": "",
    "failed": "",
    "compared": 1440,
    "differ": 2,
    "not_asked": "",
}
QUIET = STREAM | {"symbol": "ETHUSD", "lag": None, "last_id": None, "connected": False}
SINK = {"sink": "files", "waiting_bytes": 5000, "failing": ""}
STATUS = {"pipeline": "p", "problems": [], "streams": [STREAM, QUIET], "sinks": [SINK]}
SAMPLE = re.compile(r'(\w+)(?:\{((?:\w+="(?:[^"\\\n]|\\[\\"n])*",?)+)\})? (-?\d+(?:\.\d+)?)')


@pytest.fixture
def watch():
    with Watch("127.0.0.1:0") as running:
        yield running


def ask(watch, path, method="GET"):
    line = http.client.HTTPConnection("127.0.0.1", watch.port, timeout=5)
    try:
        line.request(method, path)
        answer = line.getresponse()
        return answer, answer.read().decode()
    finally:
        line.close()


def families(text):
    """Return the metrics of a text by name, each with its kind and samples; checks the format."""
    lines = text.split("\n")
    assert lines[-2:] == ["# EOF", ""]
    found = {}
    for line in lines[:-2]:
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in found
            found[name] = (kind, {})
        elif line.startswith("# UNIT "):
            assert name.endswith("_" + line.removeprefix(f"# UNIT {name} "))
        elif line.startswith("#"):
            assert line.startswith(f"# HELP {name} ")
        else:
            sample = SAMPLE.fullmatch(line)
            assert sample, line
            kind, samples = found[name]
            assert sample[1] == (f"{name}_total" if kind == "counter" else name)
            assert sample[2] not in samples
            samples[sample[2]] = float(sample[3])
    return found


def test_health_is_bad_until_something_is_shown_and_good_while_there_is_no_problem(watch):
    answer, text = ask(watch, "/health")
    assert (answer.status, json.loads(text)["ok"]) == (503, False)
    watch.show(STATUS)
    answer, text = ask(watch, "/health")
    assert (answer.status, json.loads(text)) == (200, {"ok": True, "problems": []})
    watch.show(STATUS | {"problems": ["sim BTCUSD: not connected"]})
    answer, text = ask(watch, "/health")
    assert answer.status == 503
    assert json.loads(text)["problems"] == ["sim BTCUSD: not connected"]


def test_a_run_that_does_not_move_is_not_healthy(watch, monkeypatch):
    watch.show(STATUS)
    monkeypatch.setattr(room, "_HANGS", -1.0)
    answer, text = ask(watch, "/health")
    assert answer.status == 503
    assert "the run has not moved for 0 s" in json.loads(text)["problems"]


def test_metrics_are_openmetrics(watch):
    watch.show(STATUS)
    answer, text = ask(watch, "/metrics")
    kind = "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert (answer.status, answer.headers["Content-Type"]) == (200, kind)
    found = families(text)
    one = 'exchange="sim",symbol="BTC\\"\\\\\\nUSD",component="sim.trades"'
    two = 'exchange="sim",symbol="ETHUSD",component="sim.trades"'
    assert found["werks_rows"] == ("counter", {one: 1234, two: 1234})
    assert found["werks_reconnects"] == ("counter", {one: 4, two: 4})
    assert found["werks_lag_seconds"] == ("gauge", {one: 0.25})
    assert found["werks_gaps_open"] == ("gauge", {one: 2, two: 2})
    assert found["werks_minutes_compared"] == ("counter", {one: 1440, two: 1440})
    assert found["werks_minutes_differ"] == ("counter", {one: 2, two: 2})
    assert found["werks_held_rows"] == ("gauge", {one: 3, two: 3})
    assert found["werks_connected"] == ("gauge", {one: 1, two: 0})
    assert found["werks_sink_waiting_bytes"] == ("gauge", {'sink="files"': 5000})
    assert found["werks_healthy"] == ("gauge", {None: 1})


def test_metrics_can_be_read_before_anything_is_shown(watch):
    found = families(ask(watch, "/metrics")[1])
    assert found["werks_healthy"] == ("gauge", {None: 0})
    assert found["werks_rows"] == ("counter", {})


def test_the_page_of_the_docs_lists_the_metrics(watch):
    watch.show(STATUS)
    page = Path(__file__).parents[2] / "docs" / "pipeline-file.md"
    if not page.exists():
        pytest.skip("the docs are not beside the core")
    listed = re.findall(r"^\| `(werks_\w+)` \|", page.read_text("utf-8"), re.M)
    found = families(ask(watch, "/metrics")[1])
    names = {f"{name}_total" if kind == "counter" else name for name, (kind, _) in found.items()}
    assert (set(listed), len(listed)) == (names, len(names))


def test_the_status_is_what_was_shown(watch):
    watch.show(STATUS)
    answer, text = ask(watch, "/status?x=1")
    told = json.loads(text)
    assert answer.headers["Content-Type"] == "application/json"
    assert (told["streams"], told["sinks"], told["ok"]) == ([STREAM, QUIET], [SINK], True)


def test_other_paths_and_methods_are_refused(watch):
    assert ask(watch, "/")[0].status == 404
    assert ask(watch, "/status", "POST")[0].status == 501
    answer, body = ask(watch, "/metrics", "HEAD")
    assert (answer.status, body) == (200, "")
    assert int(answer.headers["Content-Length"]) > 100


def test_a_client_that_says_nothing_keeps_no_other_waiting(watch, capfd):
    watch.show(STATUS)
    with socket.create_connection(("127.0.0.1", watch.port)):
        with socket.create_connection(("127.0.0.1", watch.port)) as rude:
            rude.sendall(b"GET /metrics HTTP/1.1\r\n")
        assert ask(watch, "/health")[0].status == 200
    assert capfd.readouterr() == ("", "")


def test_only_loopback_is_listened_at_and_nothing_is_left_behind():
    before = threading.active_count()
    with Watch("127.0.0.1:0") as running:
        assert running._server.server_address[0] == "127.0.0.1"
    with pytest.raises(ConnectionRefusedError):
        ask(running, "/health")
    assert "werks-watch" not in {each.name for each in threading.enumerate()}
    assert threading.active_count() <= before + 1  # a last answer may still be on its way


def test_an_address_that_is_taken_is_an_error_that_names_it(watch):
    where = f"127.0.0.1:{watch.port}"
    with pytest.raises(WerksError, match=f"pipeline.watch: {where} cannot be listened at: Addr"):
        Watch(where)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        ("localhost:80", ("localhost", 80)),
        ("[::1]:9464", ("::1", 9464)),
    ],
)
def test_an_address_is_a_host_and_a_port(text, found):
    assert address(text) == found
    assert structure(Settings, {"watch": text})[1] == []


@pytest.mark.parametrize(
    "text",
    ["9464", ":9464", "::1:9464", "localhost", "a:b", "a:70000", "http://a:80", "a:²", "a:0"],
)
def test_what_is_no_address_is_refused(text):
    settings, ((name, what),) = structure(Settings, {"watch": text})
    assert settings is None
    assert name == "watch"
    assert "host:port is expected, such as" in what or "port 0" in what


def test_a_connection_made_again_counts_once_however_often_it_was_tried():
    figures = LiveFigures()
    figures.ended(1000, "refused")
    assert (figures.connected, figures.lost) == (False, "refused")
    figures.opened(1000)
    figures.ended(1000, "cut")
    figures.ended(1000, "refused")
    figures.opened(1000)
    assert (figures.connected, figures.lost, figures.reconnects) == (True, "", 2)


def test_the_end_of_a_connection_that_was_replaced_is_no_loss():
    figures = LiveFigures()
    figures.opened(1000)
    figures.opened(1001)
    figures.ended(1000, "cut")
    assert (figures.connected, figures.reconnects) == (True, 0)


PIPELINE = """
[pipeline]
{watch}
state = "{root}/werks.db"
[sources.trades]
type = "shop.trades"
symbols = ["A"]
start = 2024-05-01
via = ["archive"]
folder = "{root}"
[sinks.lines]
type = "shop"
path = "{root}/out"
"""


@pytest.fixture
def top(shop, tmp_path, watch):
    def run(*options, setting=f'watch = "127.0.0.1:{watch.port}"'):
        file = tmp_path / "p.toml"
        file.write_text(PIPELINE.format(root=tmp_path, watch=setting))
        return CliRunner().invoke(cli.main, ["top", str(file), "--plugin", str(SHOP), *options])

    return run


def test_top_prints_a_line_a_stream_and_a_sink(top, watch):
    problem = "sim ETHUSD sim.trades: not connected"
    watch.show(STATUS | {"pipeline": "pipeline", "problems": [problem]})
    done = top()
    assert done.exit_code == 0
    lines = [line.split() for line in done.output.splitlines()]
    assert lines[0] == ["pipeline", "2", "streams", "25", "rows/s", "1", "to", "look", "at"]
    assert lines[1] == problem.split()
    assert ["sim", "ETHUSD", "trades", "1,234", "12", "3", "2", "2", "4", "begins"] in lines
    rest = ["1,234", "12", "0.2", "77", "3", "2", "2", "4", "flows"]
    assert ["sim", 'BTC"\\', "USD", "trades", *rest] in lines
    assert ["files", "5,000", "takes", "rows"] in lines


def test_top_prints_json(top, watch):
    watch.show(STATUS | {"pipeline": "pipeline"})
    done = top("--json")
    assert json.loads(done.output)["streams"] == [STREAM, QUIET]


def test_top_says_what_to_write_where_nobody_may_watch(top):
    done = top(setting="")
    assert done.exit_code == 2
    assert 'p.toml: pipeline.watch: it is not set: write watch = "127.0.0.1:9464"' in done.output


def test_top_says_that_nothing_answers(top, unused):
    done = top(setting=f'watch = "127.0.0.1:{unused}"')
    assert done.exit_code == 1
    assert f"error: nothing answers at 127.0.0.1:{unused} (Connection refused)" in done.output


def test_top_of_another_pipeline_is_refused(top, watch):
    watch.show(STATUS | {"pipeline": "other"})
    done = top()
    assert done.exit_code == 1
    assert 'what answers there is the pipeline "other", not "pipeline"' in done.output


def test_top_of_another_program_is_refused(top, loopback):
    loopback.put("/status", b"hello")
    done = top(setting=f'watch = "127.0.0.1:{loopback.url.rpartition(":")[2]}"')
    assert done.exit_code == 1
    assert "what answers there is no run of werks" in done.output


@pytest.fixture
def unused():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
