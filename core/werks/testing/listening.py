"""What a plugin gives to `FeedTests`, and the rules of a feed that need no message."""

import pickle
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, get_args

import attrs
import pyarrow as pa
import pytest

from ..components import Continuity
from ..http import Http
from .rules import Rules, check_frozen, check_help
from .shelf import Totals
from .talk import Frame, Message, Talk


class ListeningTests(Rules):
    """The part of `FeedTests` that asks what is given and looks at the component."""

    @pytest.fixture
    def feed(self) -> Any:
        """Return the component."""
        raise NotImplementedError(f"{type(self).__name__} must give the fixture feed")

    @pytest.fixture
    def symbols(self) -> Sequence[str]:
        """Return the symbols that are asked for."""
        raise NotImplementedError(f"{type(self).__name__} must give the fixture symbols")

    @pytest.fixture
    def frames(self) -> Sequence[Frame]:
        """Return what came on one connection: messages, each with its time in ns since 1970."""
        raise NotImplementedError(f"{type(self).__name__} must give the fixture frames")

    @pytest.fixture
    def expected(self) -> pa.RecordBatch | pa.Table | Mapping[str, Totals] | None:
        """Return what the frames come to: rows, or totals by symbol.

        Of rows those columns are compared that are there, `received` excepted, by symbol.
        """
        return None

    @pytest.fixture
    def prelude(self) -> Sequence[Message]:
        """Return what a new connection must have heard before frames from the middle are clear.

        Acks that give a channel its number, say; no rows.
        """
        return ()

    @pytest.fixture
    def acks(self) -> Sequence[Message]:
        """Return what the exchange says when all symbols are subscribed to."""
        return ()

    @pytest.fixture
    def refusal(self) -> Message | None:
        """Return what the exchange says in answer to a subscription that it does not take."""
        return None

    @pytest.fixture
    def heartbeats(self) -> Sequence[Message]:
        """Return the messages without rows: heartbeats, pongs, pings, status."""
        return ()

    @pytest.fixture
    def goodbye(self) -> Message | None:
        """Return what the exchange says before it ends a connection."""
        return None

    @pytest.fixture
    def others(self) -> Sequence[Any]:
        """Return the other doors of the same name, for the same market."""
        return ()

    @pytest.fixture
    def talk(
        self,
        feed: Any,
        http: Http,
        symbols: Sequence[str],
        frames: Sequence[Frame],
        prelude: Sequence[Message],
    ) -> Talk:
        """Return the feed with its frames."""
        return Talk(feed, http, tuple(symbols), list(frames), list(prelude))

    def test_it_is_a_frozen_attrs_class_with_help(self, feed: Any) -> None:
        """A component is a frozen attrs class; it has a docstring, and each option has its help."""
        check_frozen(feed)
        check_help(feed)

    def test_its_address_can_be_changed(self, feed: Any) -> None:
        """The option `ws_url` leads elsewhere, and is no part of the identity."""
        assert attrs.evolve(feed, ws_url="ws://127.0.0.1:9").url.startswith("ws://127.0.0.1:9")
        assert not attrs.fields_dict(type(feed))["ws_url"].metadata["identity"]

    def test_it_survives_pickling(self, feed: Any) -> None:
        """A component can be sent to another process."""
        assert pickle.loads(pickle.dumps(feed)) == feed  # noqa: S301  (our own bytes)

    def test_it_states_its_facts(self, feed: Any) -> None:
        """A feed states what every door states, and how a connection to it is kept."""
        assert feed.exchange
        assert feed.continuity in get_args(Continuity)
        assert not isinstance(feed.blind_spots, str)
        assert all(feed.blind_spots)
        assert feed.url.startswith(("ws://", "wss://"))
        assert feed.most_symbols >= 1
        assert feed.stale_after > 0
        assert feed.connection_lifetime is None or feed.connection_lifetime > timedelta(0)
        assert feed.disorder >= timedelta(0)

    def test_a_ping_is_sent_before_the_silence_is_too_long(self, feed: Any) -> None:
        """`ping` is None, or a text and the seconds between two, fewer than `stale_after`."""
        if feed.ping is not None:
            text, seconds = feed.ping
            assert isinstance(text, str)
            assert text
            assert 0 < seconds < feed.stale_after

    def test_ids_that_prove_nothing_are_called_so(self, feed: Any) -> None:
        """A feed whose ids are not contiguous says in `blind_spots` what cannot be proven."""
        assert feed.continuity == "contiguous" or len(feed.blind_spots) > 0

    def test_all_doors_of_one_name_are_alike(self, feed: Any, others: Sequence[Any]) -> None:
        """Exchange, schema (scales included) and continuity are those of the other doors."""
        for other in others:
            assert other.exchange == feed.exchange
            assert other.schema.equals(feed.schema, check_metadata=True)
            assert other.continuity == feed.continuity
