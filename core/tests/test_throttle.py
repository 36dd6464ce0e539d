"""A host is asked no more than it allows, however many ask, and waits as it says."""

import pytest

from werks import throttle
from werks.components import RateLimit, Request
from werks.throttle import Throttle

HOST = "https://api.x.test"
LIMIT = RateLimit(weights=100, seconds=60)


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self):
        self.now = 1_000_000.0

    def monotonic(self):
        return self.now

    time = monotonic


@pytest.fixture
def clock(monkeypatch):
    """Return the clock that the throttle goes by."""
    clock = Clock()
    monkeypatch.setattr(throttle, "time", clock)
    return clock


def _request(path="/trades", weight=1.0, limit=LIMIT, host=HOST):
    return Request(host + path, weight=weight, limit=limit)


def _sent(clock, budget, requests):
    """Return when each request is sent by one that waits as it is told."""
    times = []
    for request in requests:
        clock.now += budget.take(request)
        times.append((clock.now, request.weight))
    return times


def _busiest(times, seconds):
    """Return the most weight that was sent within so many seconds."""
    return max(
        sum(weight for time, weight in times if begin <= time < begin + seconds)
        for begin, _ in times
    )


@pytest.mark.parametrize("weights", [1, 2, 4, 10, 100, 1200])
@pytest.mark.parametrize("seconds", [1, 60])
def test_no_interval_holds_more_than_the_limit(clock, weights, seconds):
    limit = RateLimit(weights, seconds)
    times = _sent(clock, Throttle(), [_request(limit=limit)] * min(3 * weights, 600))
    assert _busiest(times, seconds * 0.999) <= weights


@pytest.mark.parametrize("weight", [0.5, 2, 5, 20, 50])
def test_a_heavy_request_counts_for_what_it_weighs(clock, weight):
    times = _sent(clock, Throttle(), [_request(weight=weight)] * 300)
    assert _busiest(times, 59.9) <= 100


def test_the_limit_is_used_up(clock):
    began = clock.now
    times = _sent(clock, Throttle(), [_request()] * 500)
    assert times[-1][0] - began == pytest.approx((500 - 20) / 80 * 60, rel=0.01)


def test_a_fifth_may_be_asked_at_once(clock):
    waits = [Throttle().take(_request()) for _ in range(20)]
    assert waits == [0.0] * 20
    budget = Throttle()
    assert [budget.take(_request()) > 0 for _ in range(21)] == [False] * 20 + [True]


def test_a_pause_fills_the_budget_no_further_than_a_fifth(clock):
    budget = Throttle()
    _sent(clock, budget, [_request()] * 50)
    clock.now += 86_400
    assert [budget.take(_request()) > 0 for _ in range(21)] == [False] * 20 + [True]


def test_one_budget_is_for_all_paths_of_a_host(clock):
    budget = Throttle()
    _sent(clock, budget, [_request("/trades")] * 20)
    assert budget.take(_request("/candles")) > 0
    assert budget.take(_request(host="https://other.test")) == 0


def test_two_limits_of_one_host_both_hold(clock):
    other = RateLimit(weights=10, seconds=60)
    budget = Throttle()
    pairs = [(_request(), _request("/candles", limit=other)) for _ in range(30)]
    sent = [(_sent(clock, budget, [one]), _sent(clock, budget, [two])) for one, two in pairs]
    assert _busiest([times[0] for _, times in sent], 59.9) <= 10


def test_a_request_without_a_limit_waits_for_nothing(clock):
    budget = Throttle()
    assert [budget.take(_request(limit=None)) for _ in range(100)] == [0.0] * 100
    budget.heard(_request(limit=None), {"x-used": "99"})
    assert budget.wait(HOST) == 0


def test_a_wait_holds_for_the_host_until_it_is_over(clock):
    budget = Throttle()
    budget.pause(f"{HOST}/trades", 30)
    budget.pause(f"{HOST}/trades", 10)
    assert budget.wait(f"{HOST}/candles") == pytest.approx(30)
    assert budget.take(_request(limit=None)) == pytest.approx(30)
    assert budget.take(_request()) == pytest.approx(30)
    assert budget.wait("https://other.test/") == 0
    clock.now += 31
    assert budget.wait(f"{HOST}/trades") == 0


USED = RateLimit(weights=100, seconds=60, used="x-used")
LEFT = RateLimit(weights=100, seconds=60, left="x-left")


@pytest.mark.parametrize("used", ["1", "94", "", "many"])
def test_what_is_used_is_no_matter_before_it_is_nearly_all(clock, used):
    budget = Throttle()
    budget.heard(_request(limit=USED), {"x-used": used})
    budget.heard(_request(limit=USED), {})
    assert budget.wait(HOST) == 0


def test_where_nearly_all_is_used_it_waits_for_the_next_interval(clock):
    budget = Throttle()
    budget.heard(_request(limit=USED), {"x-used": "95"})
    wait = budget.wait(HOST)
    assert 0 < wait <= 60
    assert (clock.now + wait) % 60 == pytest.approx(0, abs=1e-6)


def test_a_heavy_request_waits_before_the_last_weights_are_used(clock):
    budget = Throttle()
    budget.heard(_request(limit=USED, weight=20), {"x-used": "76"})
    assert budget.wait(HOST) > 0


def test_where_nothing_is_left_it_waits_for_as_much_as_it_weighs(clock):
    budget = Throttle()
    budget.heard(_request(limit=LEFT, weight=5), {"x-left": "5"})
    assert budget.wait(HOST) == 0
    budget.heard(_request(limit=LEFT, weight=5), {"x-left": "4"})
    assert budget.wait(HOST) == pytest.approx(3)
