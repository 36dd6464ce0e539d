import json
import re
from decimal import Decimal
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.cells import cell_len
from rich.console import Console

from werks import schema
from werks.cli.chart.bars import Series, fold, read
from werks.cli.chart.page import page
from werks.cli.chart.terminal import draw
from werks.errors import ConfigError, DataError

SECOND = 10**9
MINUTE = 60 * SECOND
DAY = 1440 * MINUTE
BEGIN = 1_714_521_600 * SECOND  # 2024-05-01
BAR = schema.schema("BAR", schema.Scales(2, 3))
SUMS = ("volume", "notional", "buy_volume", "buy_notional", "ticks", "buy_ticks")


def bars(rows, start=BEGIN, every=MINUTE, symbol="BTCUSDT", seed=1, ends=None):
    """Return so many bars of a random walk; `ends` in place of a width makes threshold bars."""
    random = np.random.default_rng(seed)
    path = np.abs(np.cumsum(random.integers(-90, 91, (rows, 5)).ravel()) + 100_000).reshape(rows, 5)
    times = start + every * np.arange(rows, dtype=np.int64)
    volume = random.integers(1000, 9000, rows)
    prices = {"open": path[:, 0], "high": path.max(1), "low": path.min(1), "close": path[:, -1]}
    return schema.batch(
        BAR,
        exchange=schema.word("sim", rows),
        symbol=schema.word(symbol, rows),
        timestamp=schema.times(times),
        end=schema.times(times + every if ends is None else ends),
        **{name: amounts(values, 2) for name, values in prices.items()},
        volume=amounts(volume, 3),
        notional=amounts(volume * 1_000, 5),
        buy_volume=amounts(volume // 2, 3),
        buy_notional=amounts(volume * 500, 5),
        ticks=random.integers(1, 50, rows),
        buy_ticks=np.ones(rows, np.int64),
        first_trade_id=[str(n) for n in range(rows)],
        last_trade_id=[f"{n}z" for n in range(rows)],
        complete=[True] * rows,
    )


def amounts(values, scale):
    return pa.array([Decimal(int(n)).scaleb(-scale) for n in values], pa.decimal128(38, scale))


def series(rows, **options):
    return Series("minutes", "sim", "BTCUSDT", pa.table(bars(rows, **options)))


def threshold(rows, every):
    """Return bars that end with their last trade, `every` ns after one another."""
    ends = BEGIN + every * np.arange(rows) + every // 2 + np.arange(rows) % 3
    return series(rows, every=every, ends=ends)


def write(batch, folder, name):
    folder.mkdir(parents=True, exist_ok=True)
    if name.endswith(".parquet"):
        pq.write_table(pa.table(batch), folder / name)
        return
    with pa.ipc.new_file(str(folder / name), batch.schema) as file:
        file.write(batch)


class TestRead:
    def test_a_tree_gives_one_series_a_node_and_symbol_with_its_days_in_order(self, tmp_path):
        write(bars(3, BEGIN + 2 * DAY), tmp_path / "minutes/sim/BTCUSDT", "open.feather")
        write(bars(4, BEGIN + DAY), tmp_path / "minutes/sim/BTCUSDT", "2024-05-02.feather")
        write(bars(5), tmp_path / "minutes/sim/BTCUSDT", "2024-05-01.feather")
        write(bars(6, symbol="ETH/USD"), tmp_path / "minutes/sim/ETH_USD", "2024-05-01.parquet")
        write(bars(7), tmp_path / "dollars/sim/BTCUSDT", "2024-05-01.feather")
        found = read(tmp_path)
        names = [(s.node, s.exchange, s.symbol, s.table.num_rows) for s in found]
        assert names == [
            ("dollars", "sim", "BTCUSDT", 7),
            ("minutes", "sim", "BTCUSDT", 12),
            ("minutes", "sim", "ETH/USD", 6),
        ]
        assert np.all(np.diff(found[1].times()) > 0)

    @pytest.mark.parametrize("part", ["minutes", "minutes/sim", "minutes/sim/BTCUSDT"])
    def test_a_part_of_the_tree_is_read_with_the_same_names(self, tmp_path, part, monkeypatch):
        write(bars(2), tmp_path / "minutes/sim/BTCUSDT", "2024-05-01.feather")
        monkeypatch.chdir(tmp_path / part)
        (found,) = read(Path())
        assert (found.node, found.exchange, found.symbol) == ("minutes", "sim", "BTCUSDT")

    def test_a_file_outside_the_layout_is_named_after_itself(self, tmp_path):
        write(bars(2), tmp_path, "mine.parquet")
        (found,) = read(tmp_path / "mine.parquet")
        assert (found.node, found.table.num_rows) == ("mine", 2)

    def test_a_day_in_two_formats_is_read_once(self, tmp_path):
        for name in ("2024-05-01.feather", "2024-05-01.parquet"):
            write(bars(2), tmp_path / "minutes/sim/BTCUSDT", name)
        assert [s.table.num_rows for s in read(tmp_path)] == [2]

    def test_other_tables_hidden_files_and_empty_days_are_passed_over(self, tmp_path):
        folder = tmp_path / "minutes/sim/BTCUSDT"
        write(bars(2), folder, "2024-05-01.feather")
        write(bars(9), folder, ".2024-05-02.feather")
        write(bars(0, ends=np.zeros(0, np.int64)), folder, "2024-05-03.feather")
        trades = schema.empty(schema.schema("TRADE", schema.Scales(2, 3)))
        write(trades, tmp_path / "raw/sim/BTCUSDT", "2024-05-01.feather")
        (folder / "2024-05-01.csv").write_text("no bars")
        assert [s.table.num_rows for s in read(tmp_path)] == [2]

    def test_a_place_without_bars_is_refused_by_name(self, tmp_path):
        (tmp_path / "a.csv").write_text("1")
        with pytest.raises(ConfigError, match=r"nowhere: there is no such file or folder"):
            read(tmp_path / "nowhere")
        with pytest.raises(ConfigError, match=re.escape(f"{tmp_path}: no bars")):
            read(tmp_path)
        with pytest.raises(ConfigError, match=r"a\.csv: charts are drawn from \.feather and"):
            read(tmp_path / "a.csv")

    @pytest.mark.parametrize("name", ["2024-05-01.feather", "2024-05-01.parquet"])
    def test_a_broken_file_is_refused_by_name(self, tmp_path, name):
        (tmp_path / name).write_bytes(b"ARROW1 and then nothing of the kind")
        with pytest.raises(DataError, match=rf"{name}: cannot be read: [^\n]+; write it again$"):
            read(tmp_path)

    def test_a_file_of_another_version_is_refused(self, tmp_path):
        batch = bars(2)
        metadata = {**batch.schema.metadata, b"werks.version": b"7"}
        write(batch.replace_schema_metadata(metadata), tmp_path, "a.feather")
        with pytest.raises(DataError, match=r"a\.feather: is of version 7, not 1"):
            read(tmp_path)


class TestFold:
    @pytest.mark.parametrize("limit", [1, 7, 96, 100, 1439])
    @pytest.mark.parametrize("given", [series(1440), threshold(1440, 50 * SECOND)])
    def test_sums_and_the_outline_are_kept_exactly(self, given, limit):
        before, after = given.table, fold(given, limit).table
        assert 0 < after.num_rows <= limit
        assert after.schema.equals(before.schema, check_metadata=True)
        for name in SUMS:
            assert sum(after[name].to_pylist()) == sum(before[name].to_pylist())
        assert max(after["high"].to_pylist()) == max(before["high"].to_pylist())
        assert min(after["low"].to_pylist()) == min(before["low"].to_pylist())
        for first in ("timestamp", "open", "first_trade_id"):
            assert after[first][0] == before[first][0]
        for last in ("end", "close", "last_trade_id"):
            assert after[last][-1] == before[last][-1]

    def test_time_bars_fold_to_a_round_width(self):
        folded = fold(series(1440), 100)
        assert folded.candle == "15m"
        assert np.array_equal(folded.times(), BEGIN + 15 * MINUTE * np.arange(96))
        assert np.array_equal(folded.times("end"), BEGIN + 15 * MINUTE * np.arange(1, 97))

    def test_a_candle_holds_the_bars_of_its_time(self):
        given = series(60)
        third, rows = fold(given, 12).table.slice(2, 1), given.table.slice(10, 5)
        assert third["open"][0] == rows["open"][0]
        assert third["high"][0].as_py() == max(rows["high"].to_pylist())
        assert third["low"][0].as_py() == min(rows["low"].to_pylist())
        assert third["close"][0] == rows["close"][4]
        assert third["volume"][0].as_py() == sum(rows["volume"].to_pylist())

    def test_threshold_bars_fold_by_equal_counts(self):
        folded = fold(threshold(866, 100 * SECOND), 100)
        assert (folded.candle, folded.table.num_rows) == ("9 bars", 97)

    def test_few_bars_stay_as_they_are(self):
        given = series(5)
        assert fold(given, 5) is given


def tiny():
    """Return four bars over 8 units: up, up, down with a long wick, unchanged."""
    rows = {
        "open": [100, 102, 106, 104],
        "high": [103, 106, 108, 105],
        "low": [100, 102, 103, 104],
        "close": [102, 106, 104, 104],
    }
    batch = bars(4, every=30 * MINUTE)
    columns = {name: batch[name] for name in BAR.names}
    columns |= {name: amounts(np.array(values) * 100, 2) for name, values in rows.items()}
    columns["volume"] = amounts([1000, 2000, 4000, 500], 3)
    return Series("m", "sim", "BTCUSDT", pa.table(schema.batch(BAR, **columns)))


def look(text):
    """Return how a terminal without colours shows it."""
    console = Console(file=StringIO(), width=250, color_system=None, force_terminal=True)
    console.print(text)
    return console.file.getvalue().rstrip("\n").split("\n")


def pieces(text):
    """Return each stretch of a text that has one look, with that look."""
    return {(text.plain[span.start : span.end], span.style) for span in text.spans}


class TestTerminal:
    def test_a_tiny_chart_looks_like_this(self):
        assert look(draw(tiny(), 60, 12)) == [
            "sim BTCUSDT m  O 100  H 108  L 100  C 104  +4.00 %",
            "       │                │",
            "       │                │",
            "    ┃  ┃                │",
            "    ┃  ┃  │             ┤ 105",
            "    ┃  ╿  ╹             ◂ 104",
            " │  ┃  ╵                │",
            " ┃  ╹                   │",
            " ┃                      ┤ 100",
            " ▂  ▄  █  ▁             ┤ vol 4",
            "─┬──────────────────────┘",
            "2024-05-01                UTC",
        ]

    @pytest.mark.parametrize(
        "given",
        [
            series(1),
            series(3),
            series(1440),
            threshold(400, 3 * SECOND),
            attrs.evolve(series(2000, every=DAY), symbol="比特币/USD\n\x1b[31m"),
        ],
        ids=["one", "three", "day", "threshold", "years"],
    )
    @pytest.mark.few(2)
    def test_no_line_is_wider_and_no_chart_higher_than_asked(self, given):
        for width in (1, 2, 7, 12, 20, 33, 60, 80, 100, 203):
            for height in (1, 2, 3, 5, 6, 8, 14, 24, 40):
                lines = draw(given, width, height).plain.split("\n")
                assert len(lines) <= height
                assert max(map(cell_len, lines)) <= width

    def test_the_height_is_used_in_full(self):
        for height in range(2, 40):
            assert draw(series(99), 80, height).plain.count("\n") == height - 1

    def test_rises_are_green_and_falls_are_red(self):
        text = draw(tiny(), 60, 12)
        assert ("  +4.00 %", "green") in pieces(text)
        assert ("    ┃ ", "green") in pieces(text)
        fallen = draw(attrs.evolve(tiny(), table=tiny().table.slice(2)), 60, 12)
        assert ("  −1.89 %", "red") in pieces(fallen)
        assert (" ┃ ", "red") in pieces(fallen)

    def test_a_price_that_never_moves_is_drawn(self):
        table = tiny().table.slice(3)
        flat = table.set_column(table.column_names.index("high"), BAR.field("high"), table["low"])
        lines = draw(attrs.evolve(tiny(), table=flat), 60, 12).plain.split("\n")
        assert lines[5] == " ╹                      ◂ 104"

    def test_floats_from_a_sink_that_writes_them_are_drawn_alike(self):
        floats = pa.schema(
            [f.with_type(pa.float64()) if pa.types.is_decimal(f.type) else f for f in BAR],
            metadata=BAR.metadata,
        )
        given = series(700)
        cast = attrs.evolve(given, table=given.table.cast(floats))
        assert draw(cast, 90, 20) == draw(given, 90, 20)

    def test_days_are_named_where_they_begin(self):
        line = draw(series(3 * 1440, start=BEGIN + 60 * MINUTE), 90, 20).plain.split("\n")[-1]
        assert line.split() == ["2024-05-01", "01:00", "05-02", "05-03", "UTC"]

    def test_no_control_character_of_a_symbol_reaches_the_terminal(self):
        given = attrs.evolve(series(5), symbol="A\x1b]0;x\x07\nB")
        assert draw(given, 90, 20).plain.startswith("sim A?]0;x??B minutes")


class Page(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self.words, self._within = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._within = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._within = ""

    def handle_data(self, data):
        if self._within == "script":
            self.scripts[-1] += data
        else:
            self.words.append(data)

    @property
    def data(self):
        return json.loads(self.scripts[0])


EVIL = "</script><script>alert(1)</script><!--<b>&amp;\"'$title${data}\u2028"


class TestPage:
    def test_nothing_is_asked_of_the_network(self):
        found = Page(page([series(50)], "xbt"))
        addresses = [
            value
            for tag, attributes in found.tags
            for name, value in attributes.items()
            if name in ("src", "href", "srcset", "action", "data", "poster")
        ]
        assert [address.split(",")[0] for address in addresses] == [
            "data:image/svg+xml",
            "https://www.tradingview.com/",
        ]
        tags = {tag for tag, _ in found.tags}
        assert not {"img", "iframe", "object", "embed", "video", "base"} & tags
        policy = next(a["content"] for t, a in found.tags if "http-equiv" in a)
        assert policy.startswith("default-src 'none';")
        style_and_script = "".join(found.words) + found.scripts[0] + found.scripts[2]
        assert re.findall(r"https?://\S+", style_and_script) == ["https://www.tradingview.com/"]
        assert "url(" not in style_and_script
        assert "@import" not in style_and_script

    def test_the_library_is_whole_and_named(self):
        found = Page(page([series(50)], "xbt"))
        assert len(found.scripts) == 3
        assert "TradingView Lightweight Charts™ v5.2.1" in found.scripts[1]
        assert found.scripts[1].rstrip().endswith("}();")
        assert "<!--" not in found.scripts[1]  # it would change where a browser sees the end
        assert any("Copyright (c) 2026 TradingView, Inc." in words for words in found.words)

    def test_the_bars_come_through(self):
        given = series(100)
        (only,) = Page(page([given], "xbt")).data
        (candles,) = only["candles"]
        assert (only["node"], only["exchange"], only["symbol"]) == ("minutes", "sim", "BTCUSDT")
        for name in ("open", "high", "low", "close", "volume", "notional"):
            texts = [f"{value:.6f}" for value in candles[name]]
            assert texts == [f"{value:.6f}" for value in given.table[name].to_pylist()]
        assert candles["ticks"] == given.table["ticks"].to_pylist()
        assert candles["second"] == (given.times() // SECOND).tolist()
        assert (candles["price_digits"], candles["volume_digits"]) == (2, 3)
        assert all(0.49 < share <= 0.5 for share in candles["bought"])

    def test_wide_candles_come_first_and_every_bar_last(self):
        (only,) = Page(page([series(11_520)], "xbt")).data
        spans = [(c["span"], len(c["second"])) for c in only["candles"]]
        assert spans == [("1h", 192), ("10m", 1152), ("", 11_520)]

    def test_bars_that_share_a_second_get_places_of_their_own_and_keep_their_times(self):
        given = threshold(200, SECOND // 7)
        (only,) = Page(page([given], "xbt")).data
        candles = only["candles"][0]
        assert np.all(np.diff(candles["second"]) > 0)
        assert candles["second"][0] == BEGIN // SECOND
        assert candles["start"] == (given.times() // 10**6).tolist()

    def test_texts_from_outside_stay_texts(self):
        given = attrs.evolve(series(3), symbol=EVIL, node=EVIL, exchange=EVIL)
        found = Page(page([given], EVIL))
        plain = Page(page([series(3)], "xbt"))
        assert [tag for tag, _ in found.tags] == [tag for tag, _ in plain.tags]
        assert found.data[0]["symbol"] == EVIL
        assert found.words.count(EVIL) == 5  # title, heading and three cells
        assert found.scripts[1:] == plain.scripts[1:]

    def test_totals_are_exact(self):
        given = series(1440)
        volume = sum(given.table["volume"].to_pylist())
        text = page([given], "xbt")
        assert f"<td>{volume.normalize():,f}</td>" in text
        assert "<td>1,440</td>" in text
        assert "<td>2024-05-01 00:00</td><td>2024-05-02 00:00</td>" in text

    def test_bars_without_volume_have_no_share_of_buyers(self):
        table = tiny().table
        for name in ("volume", "buy_volume"):
            none = amounts([0] * 4, 3)
            table = table.set_column(table.column_names.index(name), BAR.field(name), none)
        empty = attrs.evolve(tiny(), table=table)
        text = page([empty], "xbt")
        assert Page(text).data[0]["candles"][0]["bought"] == [None] * 4
        assert "<td>–</td>" in text
        assert "vol 0" in draw(empty, 60, 12).plain
