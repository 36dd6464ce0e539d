"""Frames out of bytes: however these are cut, what websocket-client reads from them one by one."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websocket import WebSocket, WebSocketException

from werks.errors import UnavailableError
from werks.live.frames import BINARY, CLOSE, PING, PONG, TEXT, Frames, reason

CONTINUED = 0
SIZES = st.sampled_from([0, 1, 2, 90, 125, 126, 127, 300, 0xFFFF, 0x10000])


def frame(opcode, payload=b"", fin=0x80, size=None, masked=0):
    """Return a frame as a server sends it; it may lie about its size."""
    size = len(payload) if size is None else size
    if size <= 125:
        head = struct.pack("!BB", fin | opcode, masked | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", fin | opcode, masked | 126, size)
    else:
        head = struct.pack("!BBQ", fin | opcode, masked | 127, size)
    return head + payload


def filled(size, seed):
    """Return so many bytes, no two payloads alike."""
    return (seed.to_bytes(4, "big") * (size // 4 + 1))[:size]


@st.composite
def streams(draw):
    """Draw what a server sends: messages, some in fragments with control frames between them."""
    sent, number = [], 0
    for _ in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from([TEXT, TEXT, BINARY, PING, PONG]))
        pieces = draw(st.integers(1, 3)) if kind <= BINARY else 1
        for piece in range(pieces):
            number += 1
            size = draw(SIZES) if kind <= BINARY else draw(st.integers(0, 125))
            fin = 0x80 if piece == pieces - 1 else 0
            sent.append(frame(kind if piece == 0 else CONTINUED, filled(size, number), fin))
            if draw(st.booleans()) and not fin:
                sent.append(frame(PING, b"between"))
    return sent


def theirs(data):
    """Return what websocket-client reads, and whether that ends with an error of the protocol."""
    client, place = WebSocket(skip_utf8_validation=True), 0

    def receive(size):
        nonlocal place
        if place == len(data):
            raise EOFError
        piece = data[place : place + size]
        place += len(piece)
        return piece

    client.frame_buffer.recv = receive
    client.pong = lambda payload: None
    client.send_close = lambda: None
    found = []
    try:
        while True:
            opcode, read = client.recv_data_frame(control_frame=True)
            found.append((opcode, bytes(read.data)))
    except EOFError:
        return found, False
    except WebSocketException:
        return found, True


def ours(data, cuts=()):
    """Return the same of bytes that come in pieces."""
    frames, found = Frames(), []
    try:
        for begin, end in pairwise([0, *sorted(cuts), len(data)]):
            for each in frames.cut(data[begin:end]):
                found.append(each)
    except UnavailableError:
        return found, True
    return found, False


@settings(max_examples=40)
@given(streams(), st.data())
def test_however_bytes_are_cut_the_messages_are_those_of_websocket_client(sent, data):
    whole = b"".join(sent)
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=12))
    assert ours(whole, cuts) == theirs(whole)
    assert ours(whole) == theirs(whole)


def test_bytes_one_by_one():
    sent = frame(TEXT, b"a" * 200) + frame(PING, b"x") + frame(BINARY, b"") + frame(CLOSE)
    assert ours(sent, range(len(sent))) == theirs(sent)


WRONG = {
    "reserved bits": frame(TEXT, b"a", fin=0xC0),
    "reserved bits of a ping": frame(PING, b"a", fin=0x90),
    "a kind that there is not": frame(3, b"a"),
    "a control kind that there is not": frame(11, b"a"),
    "a continuation of nothing": frame(CONTINUED, b"a"),
    "a message within another": frame(TEXT, b"a", fin=0) + frame(TEXT, b"b"),
    "fragments within another": frame(TEXT, b"a", fin=0) + frame(BINARY, b"b", fin=0),
    "a ping in fragments": frame(PING, b"a", fin=0),
    "a close frame that is too long": frame(CLOSE, b"\x03\xe8" + b"a" * 124),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_no_server_may_send_is_an_error_behind_what_came_before(wrong):
    before = frame(TEXT, b"good") + frame(PONG, b"")
    sent = before + wrong + frame(TEXT, b"never read")
    found, is_wrong = ours(sent)
    assert found == [(TEXT, b"good"), (PONG, b"")]
    assert is_wrong
    assert theirs(sent) == (found, True)
    for at in range(len(sent)):
        assert ours(sent, [at]) == (found, True)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (frame(TEXT, b"abcd" + b"a", masked=0x80), "masked"),
        (frame(TEXT, b"a", size=1 << 40), "no message is so large"),
        (frame(TEXT, b"a", size=1 << 63), "no message is so large"),
        (frame(PING, b"a" * 126), "too long"),
        (frame(PONG, b"a", fin=0), "cut"),
        (frame(TEXT, b"a" * (1 << 16), fin=0) + frame(0, b"", fin=0) * 3, ""),
    ],
    ids=["masked", "oversize", "the greatest size", "a long ping", "a cut pong", "not wrong"],
)
def test_ours_is_stricter_where_the_standard_is(wrong, why):
    if why:
        with pytest.raises(UnavailableError, match=why):
            list(Frames().cut(wrong))
    else:
        assert list(Frames().cut(wrong)) == []


def test_a_message_in_fragments_has_a_most_too(monkeypatch):
    monkeypatch.setattr("werks.live.frames._LARGEST", 1000)
    frames = Frames()
    for _ in range(2):  # a whole message gives the room back
        assert list(frames.cut(frame(TEXT, b"a" * 600, fin=0))) == []
        assert [len(whole) for _, whole in frames.cut(frame(CONTINUED, b"a" * 400))] == [1000]
    list(frames.cut(frame(TEXT, b"a" * 600, fin=0)))
    with pytest.raises(UnavailableError, match="larger than any"):
        list(frames.cut(frame(CONTINUED, b"a" * 401)))


def test_a_large_message_in_small_pieces_costs_no_more_than_its_bytes():
    """Joined anew for each piece these would be 17 GB."""
    size, piece = 8 << 20, bytes(2048)
    frames = Frames()
    assert list(frames.cut(frame(BINARY, b"", size=size))) == []
    found = [each for _ in range(size // len(piece)) for each in frames.cut(piece)]
    assert [(opcode, len(payload)) for opcode, payload in found] == [(BINARY, size)]


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"", "closed by the server"),
        (b"\x03", "closed by the server"),
        (b"\x03\xf4", "closed by the server with 1012"),
        (b"\x03\xf4restart", "closed by the server with 1012: restart"),
        (b"\x03\xf4\xff", "closed by the server with 1012: �"),
    ],
)
def test_the_reason_of_a_close_frame(payload, said):
    assert reason(payload) == said
