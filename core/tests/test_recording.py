"""Tapes are read back as far as they go, wherever they are cut."""

from datetime import date

import pytest

from werks.errors import DataError
from werks.live import Recording
from werks.live.recorded import taped
from werks.live.recording import Line

START = 1_704_153_600_000_000_000
HOUR = 3600 * 10**9


def tape(folder, hours=1, each=40):
    """Record some messages and leave the file as a killed process does: flushed, not closed."""
    recording = Recording(folder, "sim", "sim.trades")
    found = recording.tape(1000)
    found.opened(START, ["A", "B"])
    said = []
    for number in range(hours * each):
        text = f'{{"n":{number}}} "é\\'.encode() + (b"\xff\x00" if number % 7 == 3 else b"")
        found.message(START + number * (HOUR // each), text)
        said.append(text)
        if number % 10 == 9:
            found.flush(at_once=True)
    return recording, found, said


def messages(lines):
    return [line.binary or line.text.encode() for line in lines if line.text or line.binary]


def test_messages_of_any_bytes_come_back(tmp_path):
    recording, written, said = tape(tmp_path)
    written.ended(START + HOUR - 1, "why not")
    written.close()
    (found,) = taped(recording)
    lines = list(found.lines())
    assert lines[0] == Line(START, opened=("A", "B"))
    assert messages(lines) == said
    assert lines[-1] == Line(START + HOUR - 1, ended="why not")
    assert found.symbols() == ("A", "B")
    assert found.last_day == date(2024, 1, 2)


def test_what_is_flushed_is_there_while_the_file_is_open(tmp_path):
    recording, _, said = tape(tmp_path)
    (found,) = taped(recording)
    lines = list(found.lines())
    assert messages(lines) == said
    assert lines[-1].ended == "the recording breaks off"


def test_a_recording_cut_at_any_byte_is_read_up_to_there(tmp_path):
    recording, written, said = tape(tmp_path)
    written.close()
    (path,) = recording.path.iterdir()
    whole, before = path.read_bytes(), 0
    (found,) = taped(recording)
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        lines = list(found.lines())
        mine = messages(lines)
        assert mine == said[: len(mine)]
        assert len(mine) >= before
        assert not lines or lines[-1].ended == "the recording breaks off"
        before = len(mine)
    assert before == len(said)


def test_hours_are_files_that_follow_one_another(tmp_path):
    recording, written, said = tape(tmp_path, hours=3)
    written.ended(START + 3 * HOUR, "")
    written.close()
    assert len(list(recording.path.iterdir())) == 4
    (found,) = taped(recording)
    assert messages(found.lines()) == said


@pytest.mark.parametrize("what", ["gone", "cut"])
def test_an_hour_that_is_not_whole_is_told(tmp_path, what):
    recording, written, said = tape(tmp_path, hours=3)
    written.close()
    middle = sorted(recording.path.iterdir())[1]
    if what == "gone":
        middle.unlink()
    else:
        middle.write_bytes(middle.read_bytes()[:-20])
    (found,) = taped(recording)
    lines = list(found.lines())
    (told,) = [place for place, line in enumerate(lines) if line.part is not None]
    assert lines[told] == Line(lines[told].received, opened=("A", "B"), part=2)
    assert messages(lines[told:]) == said[80:]
    assert messages(lines[:told]) == said[: len(messages(lines[:told]))]


def test_a_recording_is_never_written_over(tmp_path):
    recording, written, _ = tape(tmp_path)
    with pytest.raises(FileExistsError):
        recording.tape(1000).opened(START, ["A"])
    recording.tape(1001).opened(START, ["A"])
    written.close()
    assert [each.connection for each in taped(recording)] == [1000, 1001]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("notes.jsonl.zst", b"", "no recording is named so"),
        ("2024-01-02T00_1_1.jsonl.zst", b"PK..", "is no recording: not in zstd"),
        ("2024-01-02T00_1_1.jsonl.zst", b"\x28\xb5\x2f\xfd" + b"x" * 99, "cannot be read"),
    ],
)
def test_what_is_no_recording_is_refused_by_name(tmp_path, name, content, why):
    recording = Recording(tmp_path, "sim", "sim.trades")
    recording.path.mkdir(parents=True)
    (recording.path / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name}: .*{why}"):
        [list(found.lines()) for found in taped(recording)]
