"""The rules that every door keeps that asks a REST interface, whatever its rows are."""

import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import attrs
import pyarrow as pa
import pytest

from ..components import Continuity
from ..errors import DataError, MessageError, WerksError
from ..http import Http
from .loopback import Loopback
from .rules import Rules, check_frozen, check_help
from .tape import Listed, Tape, Witness, body

Reader = Callable[[Any], list[Any]]
HTML = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>\n"
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
# A wait that no other pause comes near, and that is not yet given up.
_WAIT = 700


class RestTests(Rules):
    """What `HistoryTests`, `CandleTests` and `SnapshotTests` have in common.

    Where a rule cannot be kept, override its test and mark it `pytest.mark.xfail(reason=…)`.
    """

    limited = True
    """Whether the exchange limits how often it may be asked, so that each request says so."""
    number = ""
    """The column one of whose numbers is spoilt; left out: any that is found in an answer."""

    def door(self, url: str) -> Any:
        """Return the component, with each of its addresses changed to the server at `url`."""
        raise NotImplementedError(f"{type(self).__name__} must give door(self, url)")

    def publish(self, loopback: Loopback) -> Any:
        """Put a simulator of the exchange's REST onto the server and say what it holds."""
        raise NotImplementedError(f"{type(self).__name__} must give publish(self, loopback)")

    @pytest.fixture
    def component(self, loopback: Loopback) -> Any:
        """Return the door to the loopback server."""
        return self.door(loopback.url)

    @pytest.fixture
    def published(self, loopback: Loopback) -> Any:
        """Return what is published."""
        return self.publish(loopback)

    @pytest.fixture
    def slept(self) -> list[float]:
        """Return the pauses that the client makes, which take no time here."""
        return []

    @pytest.fixture
    def client(self, tmp_path: Path, slept: list[float]) -> Iterator[Http]:
        """Return a client that keeps aside what it cannot read, in the folder `aside`."""
        with Http(tries=3, sleep=slept.append, quarantine=tmp_path / "aside") as http:
            yield http

    @pytest.fixture
    def reader(self, component: Any, published: Tape | Listed) -> Reader:
        """Return a function that reads all that is published, as batches."""
        raise NotImplementedError(type(self).__name__)

    def test_it_is_a_frozen_attrs_class_with_help(self, component: Any) -> None:
        """A component is a frozen attrs class; it has a docstring, and each option has its help."""
        check_frozen(component)
        check_help(component)

    def test_an_address_is_no_part_of_the_identity(self, component: Any) -> None:
        """An option that holds a URL has `identity=False`: a mirror changes no rows."""
        fields = [each for each in attrs.fields(type(component)) if each.name.endswith("_url")]
        assert fields, "an option like rest_url is wanted, so that tests need no network"
        assert [field.name for field in fields if field.metadata.get("identity")] == []

    def test_creating_it_does_no_io(self, loopback: Loopback) -> None:
        """Creating a component asks for nothing."""
        self.door(loopback.url)
        assert loopback.requests == []

    def test_it_survives_pickling(self, component: Any) -> None:
        """A component can be sent to another process."""
        assert pickle.loads(pickle.dumps(component)) == component  # noqa: S301  (our own bytes)

    def test_it_states_what_every_door_states(self, component: Any) -> None:
        """A door states its exchange, its continuity and what cannot be proven."""
        assert component.exchange
        assert component.continuity in get_args(Continuity)
        assert not isinstance(component.blind_spots, str)
        assert all(component.blind_spots)

    def test_rows_have_the_schema(
        self, component: Any, reader: Reader, client: Http, published: Any
    ) -> None:
        """Every batch has exactly the schema of the door, metadata included, and its exchange."""
        batches = [batch for batch in reader(client) if len(batch)]
        assert batches
        for batch in batches:
            batch.validate(full=True)
            assert batch.schema.equals(component.schema, check_metadata=True)
            assert batch["exchange"].unique().to_pylist() == [component.exchange]

    def test_no_number_passes_through_a_float(
        self, component: Any, reader: Reader, client: Http
    ) -> None:
        """Neither the schema nor a type given to `http.json` has a float (or Any, which makes one).

        Numbers are `str` or `Decimal`; what is not read is `msgspec.Raw`.
        """
        assert [field.name for field in component.schema if pa.types.is_floating(field.type)] == []
        witness = Witness(client)
        reader(witness)
        assert witness.inexact() == []

    def test_each_request_says_what_it_weighs(self, reader: Reader, client: Http) -> None:
        """Every request goes through `http.json`, with its weight and the limit of its host."""
        witness = Witness(client)
        reader(witness)
        assert witness.requests
        assert witness.texts == []
        assert [each for each in witness.requests if each.weight <= 0] == []
        assert not self.limited or None not in [each.limit for each in witness.requests]

    def test_reading_twice_gives_the_same(self, reader: Reader, client: Http) -> None:
        """What is read again is the same."""
        assert reader(client) == reader(client)

    def test_a_wait_is_kept(
        self, reader: Reader, client: Http, published: Any, loopback: Loopback, slept: list[float]
    ) -> None:
        """After 429 with Retry-After, it waits so long, and the same rows come."""
        whole = reader(client)
        slept.clear()
        for path in published.paths:
            loopback.fail(path, 429, retry_after=_WAIT)
            assert reader(client) == whole
            assert _WAIT - 60 < max(slept) <= _WAIT + 60, f"{path}: waited {max(slept):.0f} s"

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_a_server_that_fails_is_asked_again(
        self, reader: Reader, client: Http, published: Any, loopback: Loopback, status: int
    ) -> None:
        """After 429 without a word, 500 and 503, the same rows come."""
        whole = reader(client)
        for path in published.paths:
            loopback.fail(path, status, times=2)
            assert reader(client) == whole

    @pytest.mark.parametrize("after", [0, 30])
    def test_a_connection_that_is_cut_changes_nothing(
        self, reader: Reader, client: Http, published: Any, loopback: Loopback, after: int
    ) -> None:
        """After an answer that broke off, the same rows come."""
        whole = reader(client)
        for path in published.paths:
            loopback.cut(path, after)
            assert reader(client) == whole

    @pytest.mark.parametrize("spoil", ["html", "truncated", "empty", "null"])
    def test_an_answer_that_cannot_be_read_is_named_and_kept(
        self, reader: Reader, client: Http, published: Any, loopback: Loopback, spoil: str
    ) -> None:
        """HTML, half a JSON, nothing and `null` are a MessageError with the URL; it is kept."""
        reader(client)
        for path in published.paths:
            whole = body(loopback, path)
            bad = {"html": HTML, "truncated": whole[: len(whole) // 2], "empty": b""}
            self.refused(loopback, path, bad.get(spoil, b"null"), lambda: reader(client))

    def refused(
        self, loopback: Loopback, path: str, bad: bytes, read: Callable[[], object]
    ) -> None:
        """Read with other bytes at a path; expect an error of one line that says where they lie."""
        loopback.swap(path, bad)
        with pytest.raises(MessageError, match=re.escape(loopback.url)) as caught:
            read()
        said = str(caught.value)
        assert path.lstrip("/") in said, f"{path} is not named: {said}"
        kept = said.rpartition("kept as ")[2]
        assert Path(kept).read_bytes().endswith(bad), f"not kept aside: {said}"

    def test_a_number_that_is_a_word_is_refused(
        self, reader: Reader, client: Http, published: Any, loopback: Loopback
    ) -> None:
        """A word in place of a price or an amount is an error that names the address."""
        values = _numbers(next(each for each in reader(client) if len(each)), self.number)
        whole = {path: body(loopback, path) for path in published.paths}
        spoilt = [(path, _replaced(whole[path], value)) for value in values for path in whole]
        path, bad = next((path, bad) for path, bad in spoilt if bad != whole[path])
        loopback.swap(path, bad)
        with pytest.raises((MessageError, DataError), match=re.escape(loopback.url)):
            reader(client)

    def test_an_address_that_is_gone_is_an_error(
        self, reader: Reader, client: Http, published: Any, loopback: Loopback
    ) -> None:
        """After 404 nothing is taken for empty: it is an error that names the address."""
        reader(client)
        for path in published.paths:
            loopback.fail(path, 404)
            with pytest.raises(WerksError, match=re.escape(loopback.url)):
                reader(client)


def _numbers(batch: pa.RecordBatch, name: str) -> list[Any]:
    """Return the first amount of each column of amounts, or of the one that is named."""
    exact = [field.name for field in batch.schema if pa.types.is_decimal(field.type)]
    columns = [batch[each].drop_null() for each in ([name] if name else exact)]
    return [column[0].as_py() for column in columns if len(column)]


def _replaced(text: bytes, value: Any) -> bytes:
    """Return a body with a word for each number that equals a value."""
    return _NUMBER.sub(lambda m: b"many" if _equal(m[0], value) else m[0], text)


def _equal(text: bytes, value: Any) -> bool:
    return bool(type(value)(text.decode()) == value)
