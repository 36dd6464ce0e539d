"""Sinks that fail while rows come: no window is harmed by what befalls another, or its own past."""

from contextlib import ExitStack, closing
from datetime import timedelta

import pytest

from werks.components import Window
from werks.errors import SinkError, WerksError
from werks.proof import Digest

from .storming import MIDNIGHT, MINUTE
from .unconnected import DAY, FILES, SYMBOL, Heard, acked, came, connected, trades
from .weather import locked, mount, unmounted

END = MIDNIGHT + 24 * 60 * MINUTE
WINDOW, NEXT = (Window("bybit-linear", SYMBOL, DAY + timedelta(days=n)) for n in (0, 1))


@pytest.fixture
def heard(tmp_path):
    with ExitStack() as stack:
        yield lambda *given: Heard(tmp_path, stack, *given)


@pytest.fixture(scope="module")
def rows():
    return trades(MIDNIGHT, MIDNIGHT + 10 * MINUTE)


def test_a_day_that_one_sink_has_closed_stays_closed_there_while_another_fails(
    heard, tmp_path, monkeypatch
):
    monkeypatch.setattr("werks.pipeline.patient._LONGEST", 0.0)
    (tmp_path / "real").mkdir()
    mount(tmp_path, "real")
    turned, last = trades(END - MINUTE, END + MINUTE), trades(END + MINUTE, END + 2 * MINUTE)

    with ExitStack() as busy:

        def told(_):
            busy.enter_context(locked(tmp_path))
            run.put(came(turned))

        run = heard(told, FILES)
        run.put(connected(), acked())
        run.run()
    stream = run.source.streams[SYMBOL]
    assert "rows.db" in stream.stuck
    assert [type(each).__name__ for each in stream.poll(END, 0.0, 0)] == ["Turned"]
    with unmounted(tmp_path):
        stream.lane.take(came(last).batch)
        stream.poll(END, 0.0, 0)
        with pytest.raises(SinkError):
            stream.commit()
    assert stream.commit() is not None
    folder = tmp_path / "disk/data/trades/bybit-linear" / SYMBOL
    assert [path.name for path in folder.glob("*.feather")] == ["2024-01-03.feather"]


def test_no_mark_counts_in_the_rows_that_wait_for_a_day_to_be_closed(heard, tmp_path, monkeypatch):
    monkeypatch.setattr("werks.pipeline.patient._LONGEST", 0.0)
    with ExitStack() as busy:

        def told(_):
            busy.enter_context(locked(tmp_path))
            run.put(came(trades(END - MINUTE, END + MINUTE)))

        run = heard(told)
        run.put(connected(), acked())
        run.run()
    stream = run.source.streams[SYMBOL]
    assert stream.commit() is None
    assert [type(each).__name__ for each in stream.poll(END, 0.0, 0)] == ["Turned"]
    mark = stream.commit()
    assert mark is not None
    assert mark.day == NEXT.day


def test_what_waits_for_a_window_is_no_burden_of_another(heard, rows):
    run = heard(lambda _: None)
    run.run()
    writer, batch = run.source.writers["db"], came(rows[:100]).batch
    for _ in range(3):
        for window in (WINDOW, NEXT):
            writer.write(window, "trades", batch)
        writer.append(WINDOW, ["trades"])
    assert writer.waits == 3 * batch.nbytes
    writer.forget(NEXT)
    assert writer.waits == 0


def test_rows_that_cannot_wait_for_a_sink_are_told(heard, rows, monkeypatch):
    run = heard(lambda _: None)
    run.run()
    writer, batch = run.source.writers["db"], came(rows[:100]).batch
    monkeypatch.setattr("werks.pipeline.patient._IN_MEMORY", 0)
    monkeypatch.setattr("tempfile.tempdir", "/nowhere/that/is")
    with pytest.raises(WerksError, match="cannot wait for a sink on disk: No such file") as caught:
        writer.write(WINDOW, "trades", batch)
    assert not isinstance(caught.value, SinkError)
    assert writer.waits == 0


def test_a_window_of_a_symbol_that_has_left_is_not_cut_back_when_a_sink_comes_back(
    heard, tmp_path, rows, monkeypatch
):
    """By then it may have been read whole from the archive."""
    monkeypatch.setattr("werks.pipeline.patient._LONGEST", 0.0)
    (tmp_path / "real").mkdir()
    mount(tmp_path, "real")
    run = heard(lambda _: run.source.leave([SYMBOL]), FILES)
    run.put(connected(), acked(), came(rows[:100]))
    run.run()
    assert (run.report.errors, run.source.leaving) == ([], [])
    sink = run.source.task.task.sinks["apart"]
    whole, digest = came(rows).batch, Digest(run.source.feed.schema)
    digest.add(whole)
    with closing(sink.open({"trades": whole.schema})) as archive:
        archive.write(WINDOW, "trades", whole)
        archive.commit(WINDOW, {"trades": digest.proof()})
    writer = run.source.writers["apart"]
    writer.resume(NEXT, {})
    writer.write(NEXT, "trades", came(trades(END + MINUTE, END + 2 * MINUTE)).batch)
    with unmounted(tmp_path), pytest.raises(SinkError):
        writer.append(NEXT, ["trades"])
    writer.append(NEXT, ["trades"])
    assert sum(map(len, sink.read(WINDOW, "trades", whole.schema))) == len(whole)
