import gzip
import json
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from werks.archive import ByteStream
from werks.components import File
from werks.errors import MessageError, WerksError
from werks.history import Pages, Span
from werks.http import Http
from werks.schema import kind, nanoseconds
from werks.testing import Loopback
from werks.transforms.bars import Bars
from werks_kraken import Candles, History, Instruments, Trades
from werks_kraken.symbols import pair, renamed

_FIRST, _LAST = 10218208, 10219207
_MINUTE = 60 * 10**9
_OPENED = ("open", "high", "low", "close", "volume")


@pytest.fixture
def bodies(captures: Path) -> Mapping[str, bytes]:
    """Return the recorded answers of REST by their names."""
    folder = captures / "kraken"
    found = {
        path.stem.removeprefix("rest-"): path.read_bytes() for path in folder.glob("rest-*.json")
    }
    lines = (folder / "rest-assetpairs-20210417.jsonl").read_text().splitlines()
    return found | {"assetpairs": json.loads(lines[0])["body"].encode()}


@pytest.fixture
def served(loopback: Loopback, bodies: Mapping[str, bytes]) -> Loopback:
    """Return a server that pages the recorded trades, a hundred at a time, and has the candles."""
    whole = json.loads(bodies["trades-page"], parse_float=Decimal)["result"]
    rows, last = whole["XBTUSDT"], int(whole["last"])
    times = [int(row[2] * 10**9) for row in rows]
    assert abs(times[-1] - last) < 200

    def page(query: Mapping[str, str]) -> bytes:
        begin = next((n for n, time in enumerate(times) if time > int(query["since"])), len(rows))
        part = rows[begin : begin + 100]
        ends = str(times[begin + len(part) - 1] if part else query["since"])
        result = {"XBTUSDT": part, "last": ends}
        # Numbers as they were recorded, not through a float.
        return (
            json.dumps({"error": [], "result": result}, default=_token)
            .replace('"<', "")
            .replace('>"', "")
            .encode()
        )

    loopback.answer("0/public/Trades", page)
    loopback.answer("0/public/OHLC", lambda _: bodies["ohlc-page"])
    return loopback


def _token(number: Any) -> str:
    return f"<{number}>"


def _read(door: Any, http: Http, start: int = 0) -> Iterator[pa.RecordBatch]:
    return iter(Pages(door, http, Span("BTC/USDT", start, 2**62), "kraken BTC/USDT"))


def _table(door: Any, http: Http) -> pa.Table:
    return pa.Table.from_batches(list(_read(door, http)), door.schema)


@pytest.fixture
def trades(served: Loopback, http: Http) -> pa.Table:
    return _table(Trades(rest_url=served.url), http)


@pytest.fixture
def candles(served: Loopback, http: Http) -> list[dict[str, Any]]:
    return _plain(_table(Candles(rest_url=served.url), http).combine_chunks().to_batches()[0])


def _plain(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    times = nanoseconds(batch["timestamp"]).tolist()
    names = [field.name for field in batch.schema if not pa.types.is_timestamp(field.type)]
    rows = batch.select(names).to_pylist()
    return [row | {"timestamp": time} for row, time in zip(rows, times, strict=True)]


def test_a_thousand_trades_come_once_over_pages_that_overlap(
    trades: pa.Table, bodies: Mapping[str, bytes]
) -> None:
    rows = json.loads(bodies["trades-page"], parse_float=Decimal)["result"]["XBTUSDT"]
    assert trades["trade_id"].to_pylist() == [str(n) for n in range(_FIRST, _LAST + 1)]
    assert trades["price"].to_pylist() == [Decimal(row[0]) for row in rows]
    assert trades["size"].to_pylist() == [Decimal(row[1]) for row in rows]
    assert trades["tick_rule"].to_pylist() == [1 if row[3] == "b" else -1 for row in rows]
    times = nanoseconds(trades["timestamp"].combine_chunks())
    assert times.tolist() == [int(row[2] * 10**9) for row in rows]
    # Recorded with up to seven decimals; 414 share their time with the trade before.
    assert int((times[1:] == times[:-1]).sum()) == 414
    assert any(time % 1000 for time in times.tolist())


def test_the_recorded_page_itself_is_a_page(
    loopback: Loopback, http: Http, bodies: Mapping[str, bytes]
) -> None:
    loopback.answer("0/public/Trades", lambda _: bodies["trades-page"])
    page, cursor = next(Trades(rest_url=loopback.url).read(http, "BTC/USDT", 0, 1))
    assert len(page) == 1000
    assert int(cursor) < 1762820035982277754
    assert loopback.requests[0].query == {"pair": "XBTUSDT", "since": "0", "count": "1000"}


def test_closed_candles_come_and_the_running_one_does_not(candles: list[dict[str, Any]]) -> None:
    assert len(candles) == 720
    assert candles[0]["timestamp"] == 1762777020 * 10**9
    assert candles[-1]["timestamp"] == 1762820160 * 10**9
    empty = [each for each in candles if not each["trades"]]
    assert len(empty) == 215  # and the running one
    assert {each["volume"] for each in empty} == {Decimal(0)}
    assert {each["notional"] for each in candles} == {None}
    steps = {b["timestamp"] - a["timestamp"] for a, b in pairwise(candles)}
    assert steps == {_MINUTE}
    assert Candles().empty == "carry"


def test_minutes_of_the_trades_are_the_exchanges_candles(
    trades: pa.Table, candles: list[dict[str, Any]], bodies: Mapping[str, bytes]
) -> None:
    step = Bars(by="time", every="1m").start({"trades": trades.schema}, None)
    bars = [
        bar
        for batch in trades.to_batches()
        for out in step.push(batch, "trades")
        for bar in _plain(out)
    ]
    bars += [bar for out in step.flush() for bar in _plain(out)]
    # The page may begin and end within a minute.
    ours = {bar["timestamp"]: bar for bar in bars[1:-1]}
    theirs = {each["timestamp"]: each for each in candles if each["trades"]}
    both = [(ours[time], theirs[time]) for time in sorted(ours) if time in theirs]
    assert ours.keys() - theirs.keys() == set()
    assert len(both) == 272
    vwaps = _vwaps(bodies["ohlc-page"])
    for bar, candle in both:
        assert [bar[name] for name in _OPENED] == [candle[name] for name in _OPENED]
        assert bar["ticks"] == candle["trades"]
        vwap = bar["notional"] / bar["volume"]
        assert vwap.quantize(Decimal("0.1"), "ROUND_DOWN") == vwaps[bar["timestamp"]]
    assert sum(min(ours) <= time <= max(ours) for time in theirs) == 272


def _vwaps(body: bytes) -> dict[int, Decimal]:
    rows = json.loads(body)["result"]["XBTUSDT"]
    return {row[0] * 10**9: Decimal(row[5]) for row in rows}


def test_pairs_of_2021_have_the_websockets_symbols(
    loopback: Loopback, http: Http, bodies: Mapping[str, bytes]
) -> None:
    loopback.answer("0/public/AssetPairs", lambda _: bodies["assetpairs"])
    rows = Instruments(rest_url=loopback.url).read(http)
    assert kind(rows.schema) == "INSTRUMENT"
    assert len(rows) == 293  # 304 with the 11 dark pools
    found = {row["symbol"]: row for row in rows.to_pylist()}
    bitcoin = found["BTC/USD"]
    assert (bitcoin["base"], bitcoin["quote"]) == ("BTC", "USD")
    assert (bitcoin["tick_size"], bitcoin["min_size"]) == (Decimal("0.1"), Decimal("0.0002"))
    assert bitcoin["lot_size"] == Decimal("1e-8")
    assert (bitcoin["status"], bitcoin["min_notional"]) == (None, None)  # not stated then
    assert "DOGE/USD" in found
    assert not [symbol for symbol in found if "XBT" in symbol or "XDG" in symbol]


def test_symbols_are_those_of_the_websocket(
    loopback: Loopback, http: Http, captures: Path, bodies: Mapping[str, bytes]
) -> None:
    text = gzip.decompress((captures / "kraken/ws-v2-instrument-snapshot.json.gz").read_bytes())
    listed = {each["symbol"]: each for each in json.loads(text)["data"]["pairs"]}
    loopback.answer("0/public/AssetPairs", lambda _: bodies["assetpairs"])
    ours = {row["symbol"] for row in Instruments(rest_url=loopback.url).read(http).to_pylist()}
    # 21 of the pairs of 2021 were not listed any more.
    assert len(listed) == 683
    assert len(ours & listed.keys()) == 272


def test_each_pair_is_asked_for_by_its_altname(
    loopback: Loopback, http: Http, bodies: Mapping[str, bytes]
) -> None:
    pairs = json.loads(bodies["assetpairs"])["result"].values()
    named = [each for each in pairs if "wsname" in each]
    assert [pair(renamed(each["wsname"])) for each in named] == [each["altname"] for each in named]


@pytest.mark.parametrize("name", ["depth", "ticker", "assetpairs", "ohlc-page", "trades-page"])
@pytest.mark.parametrize("door", [Trades, Candles, Instruments])
def test_an_answer_to_another_question_is_refused(
    loopback: Loopback, http: Http, bodies: Mapping[str, bytes], name: str, door: Any
) -> None:
    own = {Trades: "trades-page", Candles: "ohlc-page", Instruments: "assetpairs"}
    paths = {Trades: "Trades", Candles: "OHLC", Instruments: "AssetPairs"}
    loopback.answer(f"0/public/{paths[door]}", lambda _: bodies[name])
    component = door(rest_url=loopback.url)

    def read() -> Any:
        if door is Instruments:
            return component.read(http)
        return next(component.read(http, "BTC/USDT", 0, 2**62))[0]

    if name == own[door]:
        assert len(read()) in (1000, 720, 293)
        return
    with pytest.raises(MessageError, match=r"cannot be read") as caught:
        read()
    assert isinstance(caught.value, WerksError)


def test_the_recorded_history_has_no_ids_and_no_sides(captures: Path) -> None:
    path = captures / "kraken" / "archive-trades-BCHEUR.csv"
    door: Any = History(archive_url="file:///nowhere")
    day = date(2023, 1, 1)
    file = File(f"file://{path}#BCHEUR.csv", day, day.replace(year=2024), ("BCH/EUR",))
    with ByteStream(path, file.url) as stream:
        (batch,) = door.read(file, stream, file.symbols)
    assert len(batch) == 148
    rows = _plain(batch)
    content = [(row["timestamp"], row["price"], row["size"]) for row in rows]
    assert len(set(content)) == 147  # two equal rows are two trades
    assert len({row["trade_id"] for row in rows}) == 148
    assert rows[0]["trade_id"] == "1672531436000000000-0"
    assert rows[0]["price"] * rows[0]["size"] == rows[0]["notional"]
    assert {row["tick_rule"] for row in rows} == {0}
    assert [row["timestamp"] for row in rows] == sorted(row["timestamp"] for row in rows)
