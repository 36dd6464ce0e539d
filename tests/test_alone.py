"""One bad symbol never stops the others: errors of plugins, while sources are heard."""

import json
import sqlite3
import threading
import time
from contextlib import closing
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from werks import MessageError, Reload
from werks.live import Inbox
from werks.pipeline import Until, load, run
from werks_sim.feed import Conversation

from .playing import MIDNIGHT, served
from .reloading import wait

BEGIN = MIDNIGHT + 600 * 10**9
PIPELINE = """
[pipeline]
name = "alone"
state = "{root}/werks.db"
commit_every = 0.1
reconnect_after = 0.02
quarantine = "{root}/aside"

[sources.trades]
type = "sim.trades"
symbols = ["BTCUSD", "DOGEUSD", "ETHUSD"]
start = 2024-01-02
trades_per_day = 20000
stale_after = 3
rest_url = "{rest}"
ws_url = "{ws}"

[sinks.db]
type = "sqlite"
path = "{root}/rows.db"
"""
GOOD = ("BTCUSD", "DOGEUSD")


class Running:
    """A live run in a thread of its own, and what it shows."""

    def __init__(self, loopback, server, root):
        self.course = served(loopback, BEGIN, 20_000, (*GOOD, "ETHUSD"))
        self.root, self.server, self.over = root, server, threading.Event()
        self.file, given = root / "p.toml", {"rest": loopback.url, "ws": server.url}
        self.file.write_text(PIPELINE.format(root=root, **given))
        self.said, self.told = [], {"streams": [], "problems": [], "sinks": []}
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.server.play(self.course.advance, BEGIN, speed=60)
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.over.set()
        self.thread.join(30)
        assert not self.thread.is_alive()

    def _run(self):
        now = datetime.fromtimestamp(BEGIN // 10**9, UTC)
        self.reload = Reload(lambda: load(self.file, now), self.said.append)
        until = Until(self.over.is_set, lambda: self.course.now, 60, self.reload, self._show)
        self.report = run(load(self.file, now), now=now, until=until)

    def _show(self, told):
        self.told = told

    def of(self, symbol):
        return next((each for each in self.told["streams"] if each["symbol"] == symbol), None)

    def until_stopped(self, symbol="ETHUSD"):
        wait(lambda: (each := self.of(symbol)) and each["failed"])
        return self.of(symbol)["failed"]

    def until_good_flow(self):
        """Wait until more rows of all others have come; nothing else is wrong then."""
        before = {symbol: self.of(symbol)["rows"] for symbol in GOOD}
        wait(lambda: all(self.of(symbol)["rows"] > before[symbol] + 3 for symbol in GOOD))
        wait(lambda: len(self.told["problems"]) == 1)
        assert self.told["problems"][0].startswith("sim ETHUSD sim.trades: stopped: ")

    def check(self, symbols=GOOD):
        """All trades are there from midnight on, in order, up to the last one."""
        for symbol in symbols:
            tape = self.course.trades(symbol, MIDNIGHT, self.course.now)["trade_id"].to_pylist()
            ids = self.ids(symbol)
            assert ids
            assert ids == tape[: len(ids)]

    def ids(self, symbol):
        found = "SELECT trade_id FROM trades WHERE symbol = ? ORDER BY n"
        return [row[0] for row in self.asked("rows.db", found, symbol)]

    def events(self):
        return [
            row[0] for row in self.asked("werks.db", "SELECT event FROM werks_ledger_connections")
        ]

    def asked(self, name, question, *given):
        with closing(sqlite3.connect(self.root / name)) as db:
            return db.execute(question, given).fetchall()


@pytest.fixture
def running(loopback, server, tmp_path):
    return Running(loopback, server, tmp_path)


def test_a_plugin_that_fails_at_a_message_stops_its_symbol_until_it_is_taken_up(
    running, monkeypatch
):
    heard = Conversation.heard

    def fails(self, message, received):
        if b'"trades"' in message and b"ETHUSD" in message:
            return {}["size"]
        return heard(self, message, received)

    monkeypatch.setattr(Conversation, "heard", fails)
    with running:
        why = running.until_stopped()
        assert "KeyError in test_alone.py" in why
        running.until_good_flow()
        monkeypatch.setattr(Conversation, "heard", heard)
        running.reload()
        wait(lambda: "ETHUSD: the past is read, live now" in running.said)
        wait(lambda: running.told["problems"] == [] and running.of("ETHUSD")["rows"] > 20)
    assert [(where, str(error)) for where, error in running.report.errors] == [("sim ETHUSD", why)]
    assert running.events().count("failed") == 2 + 1  # once of three symbols, of two, of one
    kept = [path.read_text() for path in (running.root / "aside").iterdir()]
    assert any(json.loads(text.partition("\n\n")[2])["symbol"] == "ETHUSD" for text in kept)
    running.check((*GOOD, "ETHUSD"))


def test_the_only_connection_may_fail_while_the_loop_rests(running, monkeypatch):
    """Its thread is over by then, and what it has said waits: that is no end of the run."""
    heard = Conversation.heard

    def fails(self, message, received):
        if b'"trades"' in message and b"ETHUSD" in message:
            return {}["size"]
        return heard(self, message, received)

    monkeypatch.setattr(Conversation, "heard", fails)
    monkeypatch.setattr(Inbox, "rest", lambda self, spent: time.sleep(0.3))
    with running:
        assert "KeyError in test_alone.py" in running.until_stopped()
        running.until_good_flow()


@pytest.mark.long
def test_messages_that_cannot_be_read_end_a_connection_so_often_and_then_their_symbol(
    running, monkeypatch
):
    rows = Conversation.rows

    def fails(self):
        if "ETHUSD" in self.kept and self.kept["ETHUSD"].trades:
            raise MessageError("the price is no number")
        return rows(self)

    monkeypatch.setattr(Conversation, "rows", fails)
    with running:
        assert running.until_stopped() == "the price is no number"
        running.until_good_flow()
        tried = len(running.server.handshakes)
        running.until_good_flow()
        assert len(running.server.handshakes) == tried <= 3 * 6 + 2
    assert len(running.report.errors) == 1
    running.check()


@pytest.mark.long
def test_rows_that_cannot_be_true_stop_their_symbol(running, monkeypatch):
    rows = Conversation.rows

    def wrong(self):
        return [
            _renamed(each) if str(each["symbol"][0]) == "ETHUSD" else each for each in rows(self)
        ]

    monkeypatch.setattr(Conversation, "rows", wrong)
    with running:
        assert "x" in running.until_stopped()
        running.until_good_flow()
        wait(lambda: running.told["sinks"][0]["waiting_bytes"] == 0)
    assert [where for where, _ in running.report.errors] == ["sim ETHUSD"]
    assert "stopped" in running.events()
    running.check()


def _renamed(batch):
    place = batch.schema.get_field_index("trade_id")
    ids = pa.array(["x"] * len(batch), batch.schema.field(place).type)
    return batch.set_column(place, batch.schema.field(place), ids)


def test_a_refused_symbol_stops_alone_and_is_asked_for_again_once_it_is_taken_up(running):
    running.server.venue.refused["ETHUSD"] = "not listed"
    with running:
        wait(lambda: (each := running.of("ETHUSD")) and each["refused"] == "not listed")
        del running.server.venue.refused["ETHUSD"]
        running.reload()
        wait(lambda: running.told["problems"] == [] and running.of("ETHUSD")["rows"] > 20)
        time.sleep(0.2)
    running.check((*GOOD, "ETHUSD"))
