"""A sink that fails while a run is live: its rows wait, and come in once."""

from contextlib import suppress
from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from werks.components import Window
from werks.errors import SinkError
from werks.pipeline import patient
from werks.pipeline.patient import Patient
from werks.schema import Scales, batch, schema, times, word

DAY, OTHER = (Window("shop", symbol, date(2024, 5, 2)) for symbol in "XY")
OF = schema("QUOTE", Scales(2, 2))


def rows(*numbers):
    names = {name: word(name, len(numbers)) for name in ("exchange", "symbol")}
    return batch(OF, timestamp=times(np.array(numbers, np.int64)), **names)


class Store:
    """Rows by window; each writer adds behind what is there, and the answer may be lost."""

    def __init__(self):
        self.rows: dict[Window, list[int]] = {}
        self.lost = self.broken = False
        self.calls = 0

    def open(self):
        return Adding(self)


class Adding:
    def __init__(self, store):
        self._store, self._fresh = store, {}

    def write(self, window, node, batch):
        self._fresh.setdefault(window, []).extend(batch["timestamp"].cast(pa.int64()).to_pylist())

    def append(self, window, nodes):
        self._store.calls += 1
        kept = self._store.rows.setdefault(window, [])
        kept += self._fresh.pop(window, [])
        if self._store.lost:
            self._store.lost = False
            raise SinkError("the answer was lost")
        return {node: {"rows": len(kept)} for node in nodes}

    def append_all(self, windows):
        if self._store.broken:
            self._store.broken = False
            raise KeyError("a plugin's own")
        return {window: self.append(window, nodes) for window, nodes in windows.items()}

    def resume(self, window, receipt):
        reach = receipt.get("quotes", {}).get("rows", 0)
        self._store.rows[window] = self._store.rows.get(window, [])[:reach]

    def abort(self):
        self._fresh.clear()

    def close(self):
        pass


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(patient, "_LONGEST", 0.0)


@pytest.mark.parametrize("before", [0, 1, 2])
def test_a_segment_that_is_durable_and_was_not_answered_is_there_once(quick, before):
    """Also the first one of a day, which nothing was resumed for."""
    store = Store()
    writer, number = Patient(store.open, 1 << 20), 0
    for at in range(4):
        for _ in range(2):
            writer.write(DAY, "quotes", rows(number))
            number += 1
        store.lost = at == before
        for _ in range(2):
            with suppress(SinkError):
                writer.append(DAY, ["quotes"])
    assert store.rows[DAY] == list(range(8))
    assert writer.waits == 0


@pytest.mark.parametrize("trouble", ["", "lost", "broken"])
@pytest.mark.parametrize("at", [0, 2])
def test_segments_that_are_made_at_once_are_there_once(quick, trouble, at):
    """Also if the answer to all of them is lost, or the writer itself is broken."""
    store = Store()
    writer, windows = Patient(store.open, 1 << 20), (DAY, OTHER)
    asked = []
    for number in range(4):
        for window in windows:
            writer.write(window, "quotes", rows(number))
        if trouble and number == at:
            setattr(store, trouble, True)
        writer.append_all({key: ["quotes"] for key in windows})
        for window in windows:
            with suppress(SinkError):
                asked.append(writer.append(window, ["quotes"])["quotes"]["rows"])
    for window in windows:
        writer.append(window, ["quotes"])
    assert store.rows == {key: [0, 1, 2, 3] for key in windows}
    assert sorted(asked)[-2:] == [4, 4]
    assert writer.waits == 0


def test_a_receipt_of_segments_made_at_once_is_none_of_later_rows(quick):
    store = Store()
    writer = Patient(store.open, 1 << 20)
    for window in (DAY, OTHER):
        writer.write(window, "quotes", rows(1))
    writer.append_all({DAY: ["quotes"], OTHER: ["quotes"]})
    writer.write(DAY, "quotes", rows(2))
    assert writer.append(DAY, ["quotes"]) == {"quotes": {"rows": 2}}
    assert writer.append(OTHER, ["quotes"]) == {"quotes": {"rows": 1}}
    assert store.calls == 3


def test_a_writer_whose_own_code_fails_is_told_of_and_asked_singly_from_then_on(quick):
    store, given = Store(), {DAY: ["quotes"], OTHER: ["quotes"]}
    writer = Patient(store.open, 1 << 20)
    told = []
    for number in range(3):
        for window in given:
            writer.write(window, "quotes", rows(number))
        store.broken = True
        told.append(writer.append_all(given))
        for window in given:
            assert writer.append(window, ["quotes"]) == {"quotes": {"rows": number + 1}}
    assert "append_all: KeyError in test_patient.py:" in str(told[0])
    assert told[1:] == [None, None]


def test_a_failure_of_all_keeps_none_from_being_tried_by_itself():
    """As in the last commit of a run, after which there is no other; and by the usual pauses."""
    store, given = Store(), {DAY: ["quotes"], OTHER: ["quotes"]}
    writer = Patient(store.open, 1 << 20)
    for window in given:
        writer.write(window, "quotes", rows(1))
    store.lost = True
    writer.append_all(given)
    for window in given:
        assert writer.append(window, ["quotes"]) == {"quotes": {"rows": 1}}
    assert store.rows == {DAY: [1], OTHER: [1]}


def test_one_window_is_not_worth_it(quick):
    store = Store()
    writer = Patient(store.open, 1 << 20)
    writer.write(DAY, "quotes", rows(1))
    writer.append_all({DAY: ["quotes"]})
    assert store.calls == 0
