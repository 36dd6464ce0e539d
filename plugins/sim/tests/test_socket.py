"""The loopback websocket speaks each connection's words, and fails as it is told."""

import threading
import time

import pytest
from websocket import (
    WebSocketBadStatusException,
    WebSocketConnectionClosedException,
    WebSocketPayloadException,
    WebSocketProtocolException,
    WebSocketTimeoutException,
    create_connection,
)

from werks.testing import LoopbackSocket
from werks_sim import Course, Exchange

BEGIN = 1_704_067_200_000_000_000
HOUR = 3_600_000_000_000
ROWS = Course(Exchange(trades_per_day=4000), ["BTCUSD"], BEGIN).trades(
    "BTCUSD", BEGIN, BEGIN + 2 * HOUR
)


class Echo:
    """Words that count their rows: `row 1`, `row 2`, … after any text of the client."""

    def __init__(self, venue):
        self.venue, self.count, self.asked = venue, 0, False

    def opened(self, path):
        return f"hello {path}"

    def said(self, text):
        if text == "boom":
            raise ValueError("these words are broken")
        self.asked = True
        past = self.venue.past("BTCUSD", 2)
        seen = [] if past is None else past["trade_id"].to_pylist()
        return [f"you said {text}", *(f"seen {each}" for each in seen)]

    def trades(self, rows):
        self.count += len(rows)
        return f"row {self.count}" if self.asked else None

    def heartbeat(self):
        return "beat"

    def maintenance(self):
        return ["bye"]


@pytest.fixture
def server():
    with LoopbackSocket(Echo) as running:
        yield running


@pytest.fixture
def connect(server):
    """Return a function that opens a connection, greeted, and subscribed unless told otherwise."""
    opened = []

    def connected(subscribed=True, timeout=3.0):
        client = create_connection(server.url, timeout=timeout)
        opened.append(client)
        assert client.recv() == "hello /"
        if subscribed:
            client.send("x")
            assert client.recv() == "you said x"
        return client

    yield connected
    for client in opened:
        client.shutdown()


def _push(server, count):
    first = sum(map(len, server.venue._rows.get(("TRADE", "BTCUSD"), [])))
    for row in range(first, first + count):
        server.push(ROWS.slice(row, 1).to_batches()[0])


def _heard(client, count):
    return [client.recv() for _ in range(count)]


def test_each_connection_has_words_of_its_own(server, connect):
    one, other = connect(), connect(subscribed=False)
    _push(server, 2)
    other.send("y")
    assert _heard(one, 2) == ["row 1", "row 2"]
    assert other.recv() == "you said y"
    assert [said.text for said in server.said] == ["x", "y"]
    assert server.open == [0, 1]


def test_the_path_with_its_query_is_told(server):
    client = create_connection(f"{server.url}/stream?streams=a@trade", timeout=3)
    assert client.recv() == "hello /stream?streams=a@trade"
    assert server.handshakes[0].path == "/stream?streams=a@trade"
    client.shutdown()


def test_connections_share_the_last_rows(server, connect):
    _push(server, 5)
    client = connect()
    assert _heard(client, 2) == ["seen 4", "seen 5"]
    server.stale(3)
    assert _heard(connect(), 2) == ["seen 1", "seen 2"]


def test_heartbeats_come_by_themselves_or_on_demand(connect, server):
    client = connect(subscribed=False)
    server.beat()
    assert client.recv() == "beat"
    with LoopbackSocket(Echo, heartbeat=0.01) as beating:
        client = create_connection(beating.url, timeout=3)
        assert _heard(client, 3) == ["hello /", "beat", "beat"]
        client.shutdown()


def test_messages_are_lost_doubled_and_turned_round(server, connect):
    client = connect()
    server.lose()
    server.duplicate(2)
    server.reorder(3)
    _push(server, 7)
    numbers = [int(text.split()[1]) for text in _heard(client, 8)]
    assert numbers == [2, 2, 3, 3, 6, 5, 4, 7]


def test_a_fault_of_messages_waits_for_the_connection_that_it_names(server, connect):
    one, other = connect(), connect()
    server.lose(line=1)
    _push(server, 2)
    assert _heard(one, 2) == ["row 1", "row 2"]
    assert other.recv() == "row 2"


def test_half_a_message(server, connect):
    client = connect()
    server.mangle()
    _push(server, 1)
    assert client.recv() == "ro"


def test_answers_are_withheld_or_late_while_rows_come(server, connect):
    client = connect(subscribed=False)
    server.withhold()
    client.send("a")
    server.wait(lambda: len(server.said) == 1)
    _push(server, 1)
    assert client.recv() == "row 1"
    server.delay(0.1)
    client.send("b")
    server.wait(lambda: len(server.said) == 2)
    _push(server, 1)
    assert _heard(client, 3) == ["row 2", "you said b", "seen 1"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (lambda server: server.drop(), WebSocketConnectionClosedException),
        (lambda server: server.drop(reset=True), ConnectionResetError),
        (lambda server: server.half_open(), WebSocketTimeoutException),
        (lambda server: server.silence(), WebSocketTimeoutException),
        (lambda server: server.garbage("text"), WebSocketPayloadException),
        (lambda server: server.garbage("frame"), WebSocketProtocolException),
        (lambda server: server.oversize(), WebSocketTimeoutException),
        (lambda server: server.lifetime(seconds=0.05), WebSocketConnectionClosedException),
        (lambda server: server.lifetime(messages=1), WebSocketConnectionClosedException),
    ],
)
def test_a_connection_ends_or_hangs(server, connect, fault, error):
    client = connect(timeout=0.3)
    fault(server)
    if error is not WebSocketConnectionClosedException:
        server.settle()
    _push(server, 1)
    with pytest.raises(error):
        _heard(client, 9)


def test_a_connection_is_closed_with_a_code(server, connect):
    client = connect()
    server.close(code=1012, reason="restart")
    opcode, data = client.recv_data(control_frame=True)
    assert (opcode, data) == (8, b"\x03\xf4restart")
    server.wait(lambda: server.open == [])


def test_silence_ends_and_what_was_not_said_is_lost(server, connect):
    client = connect()
    server.silence()
    _push(server, 2)
    server.beat()
    server.speak()
    server.mute()
    _push(server, 1)
    server.beat()
    server.speak()
    _push(server, 1)
    assert _heard(client, 2) == ["beat", "row 4"]


def test_a_silent_connection_answers_pings_and_a_half_open_one_does_not(server, connect):
    one, other = connect(), connect(timeout=0.3)
    server.silence(line=0)
    server.half_open(line=1)
    server.settle()
    for client in (one, other):
        client.ping("there?")
    assert one.recv_data(control_frame=True) == (10, b"there?")
    with pytest.raises(WebSocketTimeoutException):
        other.recv_data(control_frame=True)


def test_the_servers_pings_are_answered(server, connect):
    client = connect()
    server.ping()
    server.settle()
    server.beat()
    assert client.recv() == "beat"
    server.wait(lambda: server.pongs(0) == 1)


def test_frames_come_in_pieces_and_drop_by_drop(server, connect):
    client = connect()
    server.fragment(3)
    _push(server, 1)
    server.fragment(1)
    server.dribble(1)
    _push(server, 1)
    assert _heard(client, 2) == ["row 1", "row 2"]


def test_messages_that_should_not_be(server, connect):
    client = connect()
    server.unexpected()
    server.garbage()
    server.send("as it is")
    server.send(b"x" * 70_000)
    server.maintenance()
    assert client.recv().startswith('{"werks":')
    assert client.recv()[:3] == b"\x80\x81\x82"
    assert client.recv() == "as it is"
    assert client.recv() == b"x" * 70_000
    assert client.recv() == "bye"


def test_handshakes_are_refused_as_often_as_told(server, connect):
    server.refuse(429, times=2, retry_after=7)
    for _ in range(2):
        with pytest.raises(WebSocketBadStatusException) as caught:
            create_connection(server.url, timeout=3)
        assert caught.value.status_code == 429
        assert caught.value.resp_headers["retry-after"] == "7"
    server.refuse(0)
    with pytest.raises(WebSocketTimeoutException):
        create_connection(server.url, timeout=0.2)
    connect()
    assert [each.status for each in server.handshakes] == [429, 429, 0, 101]


def test_it_is_gone_and_comes_back_at_the_same_address(server, connect):
    connect()
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        create_connection(server.url, timeout=3)
    server.start()
    connect()
    assert [each.line for each in server.handshakes] == [0, 1]


def test_starting_and_stopping_takes_milliseconds():
    before, threads = time.thread_time(), threading.active_count()
    for _ in range(20):
        with LoopbackSocket(Echo) as server:
            client = create_connection(server.url, timeout=3)
            client.shutdown()
    assert time.thread_time() - before < 2
    assert threading.active_count() == threads


def test_broken_words_are_raised_where_the_test_waits(server, connect):
    client = connect()
    client.send("boom")
    with pytest.raises(ValueError, match="these words are broken"):
        server.wait(lambda: False, 5)


def test_waiting_in_vain_is_an_error(server):
    with pytest.raises(TimeoutError):
        server.wait(lambda: False, 0.05)


def test_rows_are_played_as_their_time_comes(server, connect):
    client = connect()
    course = Course(Exchange(trades_per_day=4000), ["BTCUSD"], BEGIN)
    server.play(course.advance, BEGIN, speed=36_000, until=BEGIN + 2 * HOUR)
    server.wait(lambda: server.now == BEGIN + 2 * HOUR)
    last = ""
    while last != f"row {len(ROWS)}":
        last = client.recv()
    assert course.now == server.now
