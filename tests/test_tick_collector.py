"""The files of tick_collector, made again byte for byte out of the messages that it heard."""

import hashlib
import io
import json
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from werks.components import Window
from werks.http import Http
from werks.pipeline import load, run
from werks.proof import Digest
from werks_binance import RawAggTradesFeed, RawTradesFeed
from werks_sinks.csv import Csv

FILES = {
    "BTCUSDT_2021-05-08_10-26-05_805918.csv": date(2021, 5, 8),
    "BTCUSDT_2021-05-09_11-36-16_662218.csv": date(2021, 5, 9),
}
LETTERS = ("e", "E", "s", "t", "p", "q", "b", "a", "T", "m")
COLUMNS = (
    *("event", "event_time", "symbol", "trade_id", "price", "quantity"),
    *("buyer_order_id", "seller_order_id", "trade_time", "is_buyer_maker"),
)
FUTURES_COLUMNS = (
    *("event", "event_time", "symbol", "trade_id", "price", "quantity"),
    *("first_fill_id", "last_fill_id", "trade_time", "is_buyer_maker"),
)


def message(line, letters=LETTERS):
    """A line as Binance sent it: prices and quantities are text, all else is not."""
    payload = dict(zip(letters, line.split(","), strict=True))
    for name in set(letters) - set("espqm"):
        payload[name] = int(payload[name])
    payload["m"] = {"True": True, "False": False}[payload["m"]]
    payload["M"] = True
    stream = f"{payload['s'].lower()}@{payload['e']}"
    return json.dumps({"stream": stream, "data": payload}, separators=(",", ":"))


def heard(feed, messages, every=50):
    conversation = feed.converse(Http(), ["BTCUSDT"])
    for number, text in enumerate(messages, 1):
        received = number * 10**9
        assert conversation.heard(text, received) == ()
        if number % every == 0:
            yield from conversation.rows()
    yield from conversation.rows()


def write(sink, day, batches):
    batches = list(batches)
    window = Window(batches[0]["exchange"][0].as_py(), "BTCUSDT", day)
    digest = Digest(batches[0].schema)
    writer = sink.open({"ticks": batches[0].schema})
    for batch in batches:
        digest.add(batch)
        writer.write(window, "ticks", batch)
    writer.commit(window, {"ticks": digest.proof()})
    writer.close()


def as_collected(path, **given):
    spelled = {"header": False, "columns": COLUMNS, "booleans": "True/False"}
    return Csv(path=path, **(spelled | given))


@pytest.fixture(params=FILES)
def recorded(captures, request):
    return captures / "ancestors" / "tick_collector" / request.param


@pytest.fixture
def batches(recorded):
    lines = recorded.read_text().splitlines()
    return list(heard(RawTradesFeed(), map(message, lines)))


def test_its_files_are_made_again_byte_for_byte(recorded, batches, tmp_path):
    day = FILES[recorded.name]
    write(as_collected(tmp_path), day, batches)
    (made,) = tmp_path.rglob("*.csv")
    assert made.read_bytes() == recorded.read_bytes()


@pytest.mark.parametrize("size", ["5 KB", "1 KB", "10 B"])
def test_files_of_a_size_follow_upon_one_another_byte_for_byte(recorded, batches, tmp_path, size):
    sink = as_collected(tmp_path, rotate=size, close_at_end=True)
    write(sink, FILES[recorded.name], batches)
    made = sorted(tmp_path.rglob("*.csv"))
    assert b"".join(path.read_bytes() for path in made) == recorded.read_bytes()
    if size != "10 B":
        assert max(path.stat().st_size for path in made) <= int(size[0]) * 1000
    assert all(path.read_bytes().endswith(b"\n") for path in made)


def test_a_file_is_named_by_its_first_row_as_its_were_by_their_start(recorded, batches, tmp_path):
    write(as_collected(tmp_path, rotate="1 GB"), FILES[recorded.name], batches)
    (growing,) = tmp_path.rglob("*.csv")
    assert growing.parent.name == "_growing"
    first = datetime.fromtimestamp(int(recorded.read_text().split(",")[8]) / 1000, UTC)
    assert growing.name == f"BTCUSDT_{first:%Y-%m-%d_%H-%M-%S_%f}.csv"
    # It named a file by its own clock, in a zone of its own, before the first message came.
    assert growing.name[:18] == recorded.name[:18]


def test_ids_rise_by_one_as_its_readme_demands(batches):
    ids = [int(text) for batch in batches for text in batch["trade_id"].to_pylist()]
    assert ids == list(range(ids[0], ids[0] + len(ids)))


def test_prices_keep_their_zeros(batches):
    texts = [text for batch in batches for text in batch["price"].to_pylist()]
    assert {len(text.partition(".")[2]) for text in texts} == {8}
    assert Decimal(texts[0]) > 58_000


@pytest.fixture
def futures(captures):
    """The two lines that its README shows, of the time when it collected futures."""
    readme = captures.parent / "ancestors" / "tick_collector.md"
    lines = readme.read_text(encoding="utf-8").splitlines()
    found = [line for line in lines if line.startswith("aggTrade,")]
    assert len(found) == 2
    return found


def test_the_lines_of_futures_are_made_again(futures, tmp_path):
    letters = ("e", "E", "s", "a", "p", "q", "f", "l", "T", "m")
    messages = [message(line, letters) for line in futures]
    batches = list(heard(RawAggTradesFeed(market="usdm"), messages))
    sink = as_collected(tmp_path, columns=FUTURES_COLUMNS)
    write(sink, date(2021, 5, 11), batches)
    (made,) = tmp_path.rglob("*.csv")
    assert made.read_text().splitlines() == futures


PIPELINE = """
[pipeline]
name = "collected"
state = "{root}/werks.db"

[sources.ticks]
type = "binance.raw_trades"
symbols = ["BTCUSDT"]
start = 2024-01-01
stop = 2024-01-03
archive_url = "{url}"
listing_url = "{url}"

[sinks.files]
type = "csv"
path = "{root}/data"
header = false
columns = {columns}
booleans = "True/False"
rotate = "10 KB"
compression = "zip"
"""


def test_a_pipeline_makes_such_files_out_of_the_archive(loopback, tmp_path):
    lines = []
    for day in (1, 2):
        begin = 1_704_067_200_123 + (day - 1) * 86_400_000
        rows = [(300 * day + n, begin + 200_000 * n, bool(n % 2)) for n in range(300)]
        text = "".join(
            f"{i},42000.50000000,0.00100000,42.00050000,{t},{m},True\n" for i, t, m in rows
        )
        publish(loopback, f"BTCUSDT-trades-2024-01-0{day}", text)
        lines += [f"trade,,BTCUSDT,{i},42000.50000000,0.00100000,,,{t},{m}" for i, t, m in rows]
    path = tmp_path / "pipeline.toml"
    columns = json.dumps(COLUMNS)
    path.write_text(PIPELINE.format(root=tmp_path, url=loopback.url, columns=columns))
    assert run(load(path)).errors == []
    assert run(load(path)).errors == []
    paths = sorted(tmp_path.rglob("BTCUSDT_*"), key=lambda each: each.name)
    assert [each.suffix for each in paths] == [".zip", ".zip", ".zip", ".csv"]
    made = "".join(unpacked(each) for each in paths)
    assert made.splitlines() == lines


def publish(loopback, stem, text):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"{stem}.csv", text)
    path = f"data/spot/daily/trades/BTCUSDT/{stem}.zip"
    digest = hashlib.sha256(packed.getvalue()).hexdigest()
    loopback.put(path, packed.getvalue())
    loopback.put(f"{path}.CHECKSUM", f"{digest}  {stem}.zip\n".encode())


def unpacked(path):
    if path.suffix == ".csv":
        return path.read_text()
    with zipfile.ZipFile(path) as archive:
        return archive.read(archive.namelist()[0]).decode()
