"""New connections keep an exchange's limit, whoever of a process makes them."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import attrs
import pyarrow as pa
import pytest

from werks.components import RateLimit
from werks.live import Inbox, Listener, Manner, connects
from werks.live.connects import Connects
from werks.schema import Scales, schema
from werks.testing import LoopbackSocket

LIMIT = RateLimit(10, 1.0)


def made(pace, urls, over, seconds):
    """Return the times of connections to each address, as one thread for each makes them."""
    times = {url: [] for url in urls}

    def make(url):
        while pace.wait(url, LIMIT, over):
            times[url].append(time.monotonic())

    with ThreadPoolExecutor(len(urls) * 4) as pool:
        for url in urls * 4:
            pool.submit(make, url)
        time.sleep(seconds)
        over.set()
    return times


def test_so_many_connections_in_any_interval_and_no_more():
    urls = ["wss://a.example/ws", "wss://b.example/ws"]
    for times in made(Connects(), urls, threading.Event(), 1.6).values():
        assert len(times) >= 10
        for first, beyond in zip(times, times[LIMIT.weights :], strict=False):
            assert beyond - first > 0.9 * LIMIT.seconds


def test_paths_of_one_host_share_its_limit():
    urls = ["wss://a.example/spot", "wss://a.example/linear"]
    times = made(Connects(), urls, threading.Event(), 0.9)
    assert sum(map(len, times.values())) <= LIMIT.weights


@pytest.mark.parametrize("asked", [60.0, float("inf")])
def test_who_waits_ends_at_once_when_it_is_over(asked):
    pace, over = Connects(), threading.Event()
    pace.pause("wss://a.example", asked)
    threading.Timer(0.1, over.set).start()
    began = time.monotonic()
    assert not pace.wait("wss://a.example/ws", None, over)
    assert time.monotonic() - began < 5


def test_a_host_that_asks_for_a_pause_is_left_alone_by_all():
    pace, over = Connects(), threading.Event()
    pace.pause("wss://a.example", 1.0)
    began = time.monotonic()
    assert pace.wait("wss://b.example/ws", LIMIT, over)
    assert time.monotonic() - began < 0.8
    assert pace.wait("wss://a.example/ws", LIMIT, over)
    assert time.monotonic() - began >= 1


@pytest.mark.parametrize("host", sorted(connects._HERE))
def test_this_machine_has_no_limit(host):
    pace, over = Connects(), threading.Event()
    url = f"ws://[{host}]:1234" if ":" in host else f"ws://{host}:1234"
    began = time.monotonic()
    assert all(pace.wait(url, LIMIT, over) for _ in range(50))
    assert time.monotonic() - began < 4  # with the limit, 50 take 4 s and more


@attrs.frozen
class Feed:
    """As much of a feed as is asked for before a connection is there."""

    url: str
    connects: RateLimit = LIMIT
    connection_lifetime: None = None
    schema: pa.Schema = schema("TRADE", Scales(2, 4))


def test_a_storm_of_reconnects_keeps_the_limit(monkeypatch):
    monkeypatch.setattr(connects, "_HERE", frozenset())
    with LoopbackSocket(lambda venue: None) as server:
        server.refuse(503, times=1000)
        manner = Manner(lambda *_: None, pause=0.01, connects=Connects())
        given = Feed(server.url), ["A"], Inbox(), (None, manner)
        listeners = [Listener(number, *given) for number in range(8)]
        for each in listeners:
            each.start()
        time.sleep(1)
        for each in listeners:
            each.stop()
        for each in listeners:
            each.join(5)
        assert len(listeners) < len(server.handshakes) <= LIMIT.weights
