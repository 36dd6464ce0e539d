"""Whatever the terminal is, and whatever ends a command, it is one line and the right exit code."""

import errno
import io
import re
import sys

import pytest

from werks.cli import edge


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1", "utf-8"])
def test_a_terminal_that_knows_no_utf8_shows_question_marks(monkeypatch, encoding):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    edge.prepare()
    sys.stdout.write("2024-01-01 … ■\n")
    sys.stdout.flush()
    shown = "2024-01-01 … ■\n" if encoding == "utf-8" else "2024-01-01 ? ?\n"
    assert written.getvalue().decode(encoding) == shown


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_an_output_that_was_closed_beforehand_stops_nothing(monkeypatch, name):
    monkeypatch.setattr(sys, name, None)
    edge.prepare()
    stream = getattr(sys, name)
    stream.write("said to nobody\n")
    assert not stream.isatty()
    stream.close()


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (KeyboardInterrupt(), "stopped: what was committed stays\n"),
        (EOFError("cut"), "error: werks: EOFError in test_cli_edge.py:0: cut\n"),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            "error: werks: OSError in test_cli_edge.py:0: [Errno 28] No space left on device\n",
        ),
    ],
)
def test_what_ends_a_command_in_its_middle_is_said(capsys, raised, said):
    with pytest.raises(SystemExit) as ended, edge.said():
        raise raised
    err = re.sub(r"py:\d+", "py:0", capsys.readouterr().err)
    assert (ended.value.code, err) == (1, said)


def test_a_reader_who_is_gone_is_left_to_click(capsys):
    with pytest.raises(BrokenPipeError), edge.said():
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")
    assert capsys.readouterr().err == ""
