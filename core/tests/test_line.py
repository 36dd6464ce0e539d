"""A line: what a server sends comes in order, what ends it is an error that says why."""

import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest

from werks.errors import RateLimitError, UnavailableError
from werks.live.line import Line
from werks.testing import LoopbackSocket

MANY = 3000


class Talker:
    """Words that answer `many 5` by five messages, and everything else by itself."""

    def __init__(self, venue):
        pass

    def opened(self, path):
        return f"hello {path}"

    def said(self, text):
        word, _, count = text.partition(" ")
        return [str(n) for n in range(int(count))] if word == "many" else [text]

    def trades(self, rows):
        return None

    def heartbeat(self):
        return None

    def maintenance(self):
        return None


@pytest.fixture
def server():
    with LoopbackSocket(Talker) as running:
        yield running


@pytest.fixture
def line(server):
    line = Line(f"{server.url}/a?b=c")
    assert heard(line, 1) == [b"hello /a?b=c"]
    yield line
    line.close()


def heard(line, count, seconds=5.0):
    """Return the next messages; fewer if the time is over."""
    found, until = [], time.monotonic() + seconds
    while len(found) < count and time.monotonic() < until:
        found += line.receive(0.2)
    return found


def test_texts_go_out_and_messages_come_in(server, line):
    line.send("one")
    line.send("a longer text " * 20)
    assert heard(line, 2) == [b"one", b"a longer text " * 20]
    assert [said.text for said in server.said] == ["one", "a longer text " * 20]


def test_many_messages_come_in_order_and_at_once(line):
    line.send(f"many {MANY}")
    calls, found = 0, []
    while len(found) < MANY:
        found += line.receive(5)
        calls += 1
    assert found == [str(n).encode() for n in range(MANY)]
    assert calls < MANY / 10


def test_nothing_comes_in_time(line):
    began = time.monotonic()
    assert line.receive(0.05) == ()
    assert time.monotonic() - began > 0.04


def test_pings_are_answered_and_pongs_are_signs_of_life(server, line):
    for _ in range(3):
        server.ping()
    assert heard(line, 3) == [b""] * 3
    server.wait(lambda: server.pongs(0) == 3)
    line.ping()
    assert heard(line, 1) == [b""]


def test_frames_in_pieces_and_drop_by_drop(server, line):
    server.fragment(3)
    server.dribble(7)
    line.send("a text in pieces")
    assert [each for each in heard(line, 3) if each] == [b"a text in pieces"]
    server.wait(lambda: server.pongs(0) == 2)  # to the pings between the pieces


def test_a_message_larger_than_all_that_is_read_at_once(server, line):
    server.send(b"x" * 3_000_000)
    server.send("and one behind it")
    assert heard(line, 2) == [b"x" * 3_000_000, b"and one behind it"]


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (lambda server: server.drop(), "without a word"),
        (lambda server: server.drop(reset=True), "reset"),
        (lambda server: server.close(code=1012, reason="restart"), "1012: restart"),
        (lambda server: server.garbage("frame"), "kind 3"),
        (lambda server: server.oversize(), "no message is so large"),
    ],
    ids=["FIN", "RST", "a close frame", "no frame", "oversize"],
)
def test_what_came_before_the_end_counts_and_the_end_says_why(server, line, fault, why):
    line.send("many 5")
    server.wait(lambda: len(server.said) == 1)
    server.settle()
    if why != "reset":  # which throws away what was not read
        fault(server)
        time.sleep(0.05)
        assert heard(line, 5) == [b"0", b"1", b"2", b"3", b"4"]
    else:
        heard(line, 5)
        fault(server)
    with pytest.raises(UnavailableError, match=f"ws://127.0.0.1:.*{why}"):
        heard(line, 1)
    for _ in range(2):  # it stays so
        with pytest.raises(UnavailableError, match=why):
            line.receive(0)


def test_a_half_open_connection_stays_silent_and_closes_at_once(server, line):
    server.half_open()
    server.settle()
    line.send("is anybody there?")
    assert line.receive(0.05) == ()
    began = time.monotonic()
    line.close()
    assert time.monotonic() - began < 2  # a farewell would be waited for, for longer


def test_what_cannot_be_sent_is_an_error_that_names_the_address(server, line):
    server.drop(reset=True)
    server.settle()
    for what in (line.ping, lambda: line.receive(0)):  # which stays so
        with pytest.raises(UnavailableError, match="ws://127"):
            what()


def test_handshakes_that_are_refused(server):
    server.refuse(429, times=1, retry_after=7)
    with pytest.raises(RateLimitError, match="HTTP 429") as caught:
        Line(server.url)
    assert caught.value.wait == 7
    server.refuse(503, times=1)
    with pytest.raises(UnavailableError, match="HTTP 503"):
        Line(server.url)
    url = server.url
    server.stop()
    for address in (url, "ws://", "http://127.0.0.1:1", "wss://256.256.256.256"):
        with pytest.raises(UnavailableError, match=address):
            Line(address)
    server.start()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    folder = tmp_path_factory.mktemp("tls")
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    made = ["-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "2"]
    command = [openssl, "req", "-x509", *key, *made, *names]
    subprocess.run(command, check=True, capture_output=True)
    return folder


class Tunnel:
    """TLS in front of a server: what comes goes on, from the server in pieces of some size."""

    def __init__(self, port, certificate, piece):
        self.port, self.piece = port, piece
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"wss://127.0.0.1:{self.listener.getsockname()[1]}"
        self.ends = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        plain, _ = self.listener.accept()
        behind = socket.create_connection(("127.0.0.1", self.port))
        self.ends = [plain, behind]
        try:
            front = self.context.wrap_socket(plain, server_side=True)
        except ssl.SSLError:
            behind.close()
            return
        self.ends = [front, behind]
        threading.Thread(target=self.pass_on, args=(front, behind), daemon=True).start()
        self.pass_on(behind, front)

    def pass_on(self, source, target):
        try:
            while data := source.recv(1 << 16):
                for at in range(0, len(data), self.piece):
                    target.sendall(data[at : at + self.piece])
            target.shutdown(socket.SHUT_WR)
        except (OSError, ValueError):
            pass  # an end has left

    def close(self):
        for each in [self.listener, *self.ends]:
            each.close()


@pytest.fixture
def tunnel(server, certificate):
    opened = []

    def through(piece=1 << 16):
        opened.append(Tunnel(server._serving.port, certificate, piece))
        return opened[-1]

    yield through
    for each in opened:
        each.close()


@pytest.mark.parametrize("piece", [1 << 16, 7], ids=["large records", "frames cut into records"])
def test_tls_gives_the_same(tunnel, certificate, monkeypatch, server, piece):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    line = Line(tunnel(piece).url)
    assert heard(line, 1) == [b"hello /"]
    line.send(f"many {MANY}")
    assert heard(line, MANY) == [str(n).encode() for n in range(MANY)]
    server.send(b"x" * 100_000)
    server.ping()
    assert heard(line, 2) == [b"x" * 100_000, b""]
    server.wait(lambda: server.pongs(0) == 1)
    assert line.receive(0.02) == ()
    server.close(code=1001, reason="gone")
    with pytest.raises(UnavailableError, match="1001: gone"):
        heard(line, 1)
    line.close()


def test_a_certificate_that_nobody_vouches_for_is_refused(tunnel):
    url = tunnel().url
    with pytest.raises(UnavailableError, match=f"{url}.*certificate"):
        Line(url)
