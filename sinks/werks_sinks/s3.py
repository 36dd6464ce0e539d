"""The sink `s3`: files in a bucket, by way of a folder where they wait until they are there."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

import attrs
import pyarrow as pa

from werks.components import Proof, Receipt, Window, Writer, option
from werks.errors import SinkError
from werks.hookspecs import hookimpl
from werks.options import structure

from .bucket import Bucket
from .disk import prune
from .names import safe
from .pending import Pending
from .places import Folder
from .remote import Remote
from .rotation import ByClock, rotation
from .sending import Sending, Uploaded
from .shipping import ShippingWriter
from .sizes import size

_FORMATS = ("feather", "parquet", "csv")
_LEAST_PART = 5 << 20  # of all parts but the last, by S3's own rule
_MOST_PART = 5 << 30


def _check_url(_: Any, __: Any, given: str) -> None:
    parts = urlsplit(given)
    if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
        raise ValueError('url: an address like "s3://bucket/prefix" is expected')
    if "@" in parts.netloc or ":" in parts.netloc:
        raise ValueError("url: keys do not belong here; set access_key and secret_key")
    folders = parts.path.strip("/").split("/")
    if folders != [""] and not {"", ".", ".."}.isdisjoint(folders):
        raise ValueError(f"url: a prefix without empty parts, . and .. is expected, not {given!r}")


def _check_endpoint(_: Any, __: Any, given: str | None) -> None:
    parts = urlsplit(given or "https://s3")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError('endpoint: an address like "https://s3.example.com" is expected')
    if "@" in parts.netloc:
        raise ValueError("endpoint: keys do not belong here; set access_key and secret_key")


def _check_part(_: Any, __: Any, given: str) -> None:
    if not _LEAST_PART <= size(given, "part_size") <= _MOST_PART:
        raise ValueError(f'part_size: "5 MiB" to "5 GiB" is expected, not {given!r}')


def _check_limit(_: Any, __: Any, given: str) -> None:
    size(given, "spool_limit")


def _check_seconds(_: Any, field: Any, given: float) -> None:
    if not 0 < given <= 3600:
        raise ValueError(f"{field.name}: 0 to 3600 seconds are expected, not {given:g}")


@attrs.frozen
class S3:
    """Writes files to an S3 bucket, one a day, symbol and node, in the format of another sink.

    Their keys are `<prefix>/<node>/<exchange>/<symbol>/<YYYY-MM-DD>.<extension>`. A file is written
    below `path`, sent, verified by size and checksum, and only then deleted, kept or moved. While
    the store is out of reach files wait there, up to `spool_limit`, and nothing fails.
    """

    replaces: ClassVar[bool] = True

    url: str = option(
        help="The bucket and what the keys begin with: `s3://bucket/prefix`.", validator=_check_url
    )
    format: Literal["feather", "parquet", "csv"] = option(
        "feather",
        help="The format of the files: `feather`, `parquet` or `csv`.",
        validator=attrs.validators.in_(_FORMATS),
    )
    options: dict[str, Any] | None = option(
        None,
        help='Options of that format, as of the sink of its name: `{ amounts = "float64" }`.',
    )
    path: Path = option(
        Path("s3-spool"),
        help="The folder where files wait, and where live days grow.",
        identity=False,
    )
    local: Literal["delete", "keep", "move"] = option(
        "delete",
        help="What becomes of a file that was sent and verified: `delete`, `keep` it below `path`,"
        " or `move` it to `move_to`.",
        identity=False,
        validator=attrs.validators.in_(("delete", "keep", "move")),
    )
    move_to: Path | None = option(
        None, help="The folder that files which were sent are moved to.", identity=False
    )
    upload: str = option(
        "on_close",
        help="When files are sent: `on_close`, as soon as they are whole, or `at 00:00`, once that"
        " time of day has passed.",
        identity=False,
    )
    zone: str = option(
        "UTC",
        help="The time zone of that time of day, for example `Europe/Berlin`.",
        identity=False,
    )
    spool_limit: str = option(
        "10 GB",
        help="How much may wait on disk; beyond it the run stops.",
        identity=False,
        validator=_check_limit,
    )
    endpoint: str | None = option(
        None,
        help="The address of the server, where it is not Amazon's; else AWS_ENDPOINT_URL.",
        identity=False,
        validator=_check_endpoint,
    )
    region: str | None = option(
        None,
        help="The region of the bucket; else AWS_REGION or ~/.aws/config, else us-east-1.",
        identity=False,
    )
    access_key: str | None = option(
        None,
        help="The access key, as `env:NAME`; else that of the environment, of ~/.aws/credentials,"
        " or of the machine's role.",
        secret=True,
    )
    secret_key: str | None = option(
        None, help="The secret to the access key, as `env:NAME`.", secret=True
    )
    anonymous: bool = option(False, help="Whether to ask without any credentials.", identity=False)
    part_size: str = option(
        "8 MiB",
        help="Larger files are sent in parts of this size; each is tried again by itself.",
        identity=False,
        validator=_check_part,
    )
    timeout: float = option(
        60.0,
        help="How many seconds a request may take, such as one that sends a part.",
        identity=False,
        validator=_check_seconds,
    )
    retry_for: float = option(
        30.0,
        help="For how many seconds a request is tried again before its file is left to wait.",
        identity=False,
        validator=_check_seconds,
    )

    def __attrs_post_init__(self) -> None:
        self._when()
        self._sink(self.path)
        if (self.local == "move") != (self.move_to is not None):
            raise ValueError('move_to: is set with local = "move", and only with it')
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("access_key: is set together with secret_key")

    def open(self, schemas: Mapping[str, pa.Schema]) -> Writer:
        """Return a writer for these nodes; SinkError if the bucket is not there or refuses us."""
        sending = self._sending()
        return ShippingWriter(self._waiting.open(schemas), sending, tuple(schemas))

    def holds(self, window: Window, node: str, receipt: Receipt) -> bool:
        """Tell whether the file or object that a receipt speaks of is there with all it says.

        Where the store cannot be asked, what once was verified is taken to be there still.
        """
        return self._remote.holds(window, node, receipt)

    def proofs(self, node: str) -> Iterable[tuple[Window, Proof | None]]:
        """Yield all windows of a node, those that wait too, with the proofs kept beside them."""
        return self._remote.proofs(node)

    def read(self, window: Window, node: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a window: those that wait, else those of the object."""
        return self._remote.read(window, node, schema)

    def send(self, now: float | None = None) -> Uploaded:
        """Send all that waits, or what is due at a time (in seconds since 1970) by `upload`."""
        sending = self._sending()
        sending.check()
        try:
            return sending.catch_up(everything=now is None, now=now)
        finally:
            prune(self._pending.root, self.path)

    def send_due(self) -> None:
        """Send what earlier runs left and is due; where nothing waits, nobody is asked."""
        if self._pending.entries():
            self.open({}).close()

    def _sending(self) -> Sending:
        limit = size(self.spool_limit, "spool_limit")
        return Sending(self._bucket, self._pending, self._kept, self._when(), limit)

    def _when(self) -> ByClock | None:
        """Return the time of day to send at; None for at once."""
        if self.upload == "on_close":
            return None
        word, _, clock = self.upload.partition(" ")
        try:
            found = rotation(clock if ":" in clock else "", self.zone)
        except ValueError as error:
            if str(error).startswith("zone"):
                raise
            found = None
        if word != "at" or not isinstance(found, ByClock):
            raise ValueError(f'upload: "on_close" or "at 00:00" is expected, not {self.upload!r}')
        return found

    def _sink(self, root: Path) -> Any:
        """Return the sink of the format for a folder; ValueError where an option is wrong."""
        cls = import_module(f".{self.format}", __package__).werks_sinks()[self.format]
        given = dict(self.options or {})
        if "path" in given:
            raise ValueError("options: path does not belong here; set the path of this sink")
        sink, problems = structure(cls, {**given, "path": "."})
        if problems:
            raise ValueError(f"options: {'; '.join(': '.join(said) for said in problems)}")
        if not sink.replaces:
            raise ValueError("options: only files of a day can be sent, not such as grow")
        return attrs.evolve(sink, path=root)

    @property
    def _place(self) -> Path:
        """What is for different buckets and prefixes waits apart."""
        return self.path / safe(self.url.removeprefix("s3://").rstrip("/"))

    @property
    def _waiting(self) -> Any:
        return self._sink(self._place / "pending")

    @property
    def _pending(self) -> Pending:
        sink = self._waiting
        folder: Folder = sink._folder
        return Pending(folder)

    @property
    def _kept(self) -> Path | None:
        return self._place / "sent" if self.local == "keep" else self.move_to

    @cached_property
    def _remote(self) -> Remote:
        return Remote(self._bucket, self._pending, self._kept, self._sink)

    @cached_property
    def _bucket(self) -> Bucket:
        if find_spec("obstore") is None:
            raise SinkError("the sink s3 needs obstore: pip install 'werks-sinks[s3]'")
        parts = urlsplit(self.url)
        return Bucket(
            parts.netloc,
            parts.path.strip("/"),
            size(self.part_size, "part_size"),
            self.timeout,
            self.retry_for,
            self.endpoint,
            self.region,
            self.access_key,
            self.secret_key,
            self.anonymous,
        )


@hookimpl
def werks_sinks() -> dict[str, type]:
    """Offer the sink."""
    return {"s3": S3}
