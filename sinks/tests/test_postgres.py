import logging
import sys
from contextlib import closing
from decimal import Decimal, localcontext

import psycopg
import pyarrow as pa
import pytest

from werks.components import Window
from werks.errors import PluginError, SinkError
from werks.proof import Digest
from werks.schema import Scales, schema
from werks.testing.sink import DAY, REMAINDER, SCHEMAS, SinkTests, sample
from werks_sinks import server
from werks_sinks.postgres import Postgres


@pytest.fixture
def sink(postgres, database):
    return Postgres(url=postgres.url(database), timeout=20)


@pytest.fixture
def query(postgres, database):
    with closing(postgres.connect(database)) as connection:

        def query(sql):
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else None

        yield query


def write(sink, window, node, *batches, schemas=SCHEMAS):
    writer = sink.open(schemas)
    digest = Digest(schemas[node])
    try:
        for rows in batches:
            digest.add(rows)
            writer.write(window, node, rows)
        return writer.commit(window, {node: digest.proof()})
    finally:
        writer.close()


def read(sink, window, node, of=None):
    of = of or SCHEMAS[node]
    return pa.Table.from_batches(sink.read(window, node, of), of)


class TestPostgres(SinkTests):
    @pytest.fixture
    def sink(self, postgres, database):
        return Postgres(url=postgres.url(database), timeout=20)

    def rows(self, sink, window, node):
        return read(sink, window, node)


def test_columns_have_the_types_that_one_expects(sink, query):
    write(sink, DAY, "bars", sample("bars"))
    found = query(
        "SELECT column_name, data_type FROM information_schema.columns "
        "WHERE table_name = 'bars' ORDER BY ordinal_position"
    )
    amount, time = "numeric", "timestamp with time zone"
    assert dict(found) == {
        **dict.fromkeys(("exchange", "symbol"), "text"),
        **dict.fromkeys(("timestamp", "end"), time),
        **dict.fromkeys(("timestamp_ns", "end_ns"), "smallint"),
        **dict.fromkeys(("open", "high", "low", "close", "volume", "notional"), amount),
        **dict.fromkeys(("buy_volume", "buy_notional", "realized_variance"), amount),
        **dict.fromkeys(("ticks", "buy_ticks", "n"), "bigint"),
        **dict.fromkeys(("first_trade_id", "last_trade_id"), "text"),
        **dict.fromkeys(("complete",), "boolean"),
        **dict.fromkeys(("window",), "date"),
    }
    assert query("SELECT obj_description('bars'::regclass)") == [
        ("BAR of the node bars, by werks",)
    ]


def test_a_time_is_microseconds_and_the_nanoseconds_beside(sink, query):
    stamps = [0, 1, 999, 1000, 1_714_521_604_938_271_564, -1, -1000, -1001, 9 * 10**18, None]
    of = SCHEMAS["bars"]
    rows = [{"exchange": "bazaar", "symbol": "XBTUSD", "end": 0} for _ in stamps]
    given = pa.RecordBatch.from_pylist(rows, schema=of)
    given = given.set_column(2, of.field(2), pa.array(stamps, pa.int64()).view(of.field(2).type))
    write(sink, DAY, "bars", given)
    found = query(
        "SELECT (extract(epoch FROM timestamp) * 1000000)::bigint, timestamp_ns "
        "FROM bars ORDER BY n"
    )
    assert found == [(None, None) if t is None else divmod(t, 1000) for t in stamps]
    assert read(sink, DAY, "bars").equals(pa.Table.from_batches([given]))


@pytest.mark.parametrize(
    "scale",
    [0, 8, 37, *[pytest.param(n, marks=pytest.mark.long) for n in (1, 4, 7, 9, 16, 18, 38)]],
)
@pytest.mark.few(1)
def test_amounts_of_any_size_arrive_exactly(sink, query, scale):
    of = pa.schema([("exchange", pa.string()), ("symbol", pa.string())]).append(
        pa.field("amount", pa.decimal128(38, scale))
    )
    whole = [0, 1, 9, 10, 9999, 10_000, 2**31, 2**32, 10**8 - 1, 10**8, 10**16, 2**63 - 1, 2**63]
    whole += [2**64 - 1, 2**64, 2**96 - 1, 2**96, 10**37, 10**38 - 1, 12_345_678 * 10**20 + 9]
    amounts = [Decimal(f"{n}E-{scale}") for n in (*whole, *(-n for n in whole))]
    # Some by themselves, since the largest tells how many digits there are.
    few = [[a] for a in amounts[2:-1:4]]
    for place, values in enumerate([amounts, [None, *amounts, None], *few]):
        window = Window("bazaar", f"S{place}", DAY.day)
        rows = [{"exchange": "bazaar", "symbol": f"S{place}", "amount": a} for a in values]
        write(sink, window, "all", pa.RecordBatch.from_pylist(rows, schema=of), schemas={"all": of})
        found = query(f"SELECT amount FROM \"all\" WHERE symbol = 'S{place}' ORDER BY n")
        assert [row[0] for row in found] == values
        assert read(sink, window, "all", of)["amount"].to_pylist() == values


def test_the_database_sums_exactly(sink, query):
    given = sample("bars")
    write(sink, DAY, "bars", given)
    ((found,),) = query("SELECT sum(notional) FROM bars")
    with localcontext(prec=60):
        assert found == sum(given["notional"].drop_null().to_pylist())


def test_text_that_the_database_cannot_keep_is_escaped(sink, query):
    texts = ["a\0b", "\0", "\ue000", "\ue0000", "\ue0001\0", "ab", "", None, "\uffff\U0001f600"]
    of = SCHEMAS["trades"]
    window = Window("b\0", "\ue000\0", DAY.day)
    rows = [{"exchange": "b\0", "symbol": "\ue000\0", "trade_id": text} for text in texts]
    given = pa.RecordBatch.from_pylist(rows, schema=of)
    receipt = write(sink, window, "trades", given)
    assert sink.holds(window, "trades", receipt)
    assert read(sink, window, "trades").equals(pa.Table.from_batches([given]))
    assert query("SELECT exchange, symbol, trade_id FROM trades WHERE n < 2 ORDER BY n") == [
        ("b\ue0000", "\ue0001\ue0000", "a\ue0000b"),
        ("b\ue0000", "\ue0001\ue0000", "\ue0000"),
    ]
    ((found, proof),) = sink.proofs("trades")
    assert (found, proof.first_id, proof.last_id) == (window, texts[0], texts[-1])


def test_texts_of_all_lengths_come_back(sink):
    of = SCHEMAS["trades"]
    texts = [
        None if n % 7 == 3 else "\N{GREEK SMALL LETTER OMEGA}" * (n * n % 301) for n in range(900)
    ]
    rows = [
        {"exchange": "bazaar", "symbol": "XBTUSD", "trade_id": text, "flag": text, "price": n}
        for n, text in enumerate(texts)
    ]
    given = pa.RecordBatch.from_pylist(rows, schema=of)
    write(sink, DAY, "trades", given.slice(1, 400), given.slice(401))
    assert read(sink, DAY, "trades").equals(pa.Table.from_batches([given.slice(1)]))


@pytest.mark.long
def test_a_long_window_is_read_back_in_pieces(sink):
    given = pa.concat_batches([sample("trades", rows=1000, seed=seed) for seed in range(140)])
    write(sink, DAY, "trades", given)
    batches = list(sink.read(DAY, "trades", SCHEMAS["trades"]))
    assert max(map(len, batches)) == 65_536
    assert pa.Table.from_batches(batches).equals(pa.Table.from_batches([given]))


@pytest.mark.parametrize("window", [DAY, REMAINDER])
def test_the_key_admits_no_row_twice(sink, query, window):
    write(sink, window, "bars", sample("bars"))
    with pytest.raises(psycopg.errors.UniqueViolation):
        query("INSERT INTO bars SELECT * FROM bars WHERE n = 1")


def test_nodes_may_differ_in_capitals_alone(sink, query):
    schemas = {"Bars": SCHEMAS["bars"], "bars": SCHEMAS["bars"]}
    write(sink, DAY, "Bars", sample("bars"), schemas=schemas)
    write(sink, DAY, "bars", sample("bars", rows=3), schemas=schemas)
    counts = 'SELECT (SELECT count(*) FROM "Bars"), (SELECT count(*) FROM bars)'
    assert query(counts) == [(40, 3)]


def test_long_names_are_kept_apart_as_far_as_they_can_be(sink, query):
    schemas = {"x" * 62 + end: SCHEMAS["bars"] for end in "yz"}
    for node in schemas:
        write(sink, DAY, node, sample("bars"), schemas=schemas)
    found = query("SELECT viewname FROM pg_views WHERE viewname LIKE 'werks_latest_x%'")
    assert len(set(found)) == 2


@pytest.mark.parametrize("node", ["x" * 64, "\N{GREEK SMALL LETTER OMEGA}" * 32, "a\0b"])
def test_a_name_that_no_table_can_have_is_refused(sink, node):
    with pytest.raises(SinkError, match=r"no table can have this name, 63 bytes at most"):
        sink.open({node: SCHEMAS["bars"]})


def test_a_column_that_would_be_the_sinks_own_is_refused(sink):
    with pytest.raises(SinkError, match="column timestamp_ns is the sink's own"):
        sink.open({"bars": SCHEMAS["bars"].append(pa.field("Timestamp_NS", pa.int8()))})


def test_a_column_of_another_type_is_refused(sink, query):
    write(sink, DAY, "bars", sample("bars"))
    query("DROP VIEW werks_latest_bars, werks_daily_bars")
    query("ALTER TABLE bars ALTER COLUMN close TYPE double precision")
    with pytest.raises(SinkError, match="bars has a column close of the type DOUBLE PRECISION"):
        sink.open(SCHEMAS)


def test_a_schema_is_made_and_keeps_tables_apart(postgres, database, query):
    for name in ("one", 'the "other"', None):
        sink = Postgres(url=postgres.url(database), schema=name)
        receipt = write(sink, DAY, "bars", sample("bars"))
        assert sink.holds(DAY, "bars", receipt)
        assert read(sink, DAY, "bars").num_rows == 40
        assert [window for window, _ in sink.proofs("bars")] == [DAY]
    found = query("SELECT schemaname FROM pg_views WHERE viewname = 'werks_completeness'")
    assert {row[0] for row in found} == {"one", 'the "other"', "public"}
    assert query("SELECT count(*) FROM one.werks_latest_bars") == [(1,)]


def test_views_of_others_may_be_built_on_ours(sink, query):
    write(sink, DAY, "bars", sample("bars"))
    query("CREATE VIEW mine AS SELECT day, close FROM werks_completeness, werks_latest_bars")
    write(sink, DAY, "ticks", sample("ticks"), schemas=SCHEMAS | {"more": SCHEMAS["ticks"]})
    assert query("SELECT count(*) FROM mine") == [(2,)]


@pytest.mark.long
def test_the_latest_bar_is_found_without_reading_the_others(sink, query):
    for symbol in range(20):
        window = Window("bazaar", f"S{symbol}", DAY.day)
        write(sink, window, "bars", sample("bars", window, rows=2000))
    query("SELECT count(*) FROM bars")
    (plan,) = query("EXPLAIN (ANALYZE, FORMAT json) SELECT * FROM werks_latest_bars")
    assert "Seq Scan" not in str(plan)


def test_the_url_of_a_ledger_may_differ_in_driver_and_password(postgres, database, sink):
    port = postgres.port
    assert sink.shares(postgres.url(database))
    assert sink.shares(
        f"postgresql+psycopg2://werks:other@127.0.0.1:{port}/{database}?sslmode=allow"
    )
    assert sink.shares(f"postgres://werks@127.0.0.1:{port}/{database}")
    assert not sink.shares(f"postgresql://werks@127.0.0.1:{port}/{database}2")
    assert not sink.shares(f"postgresql://werks@127.0.0.1:{port + 1}/{database}")
    assert not sink.shares(f"postgresql://other@127.0.0.1:{port}/{database}")
    assert not sink.shares("werks.db")
    assert not sink.shares("what://is this")
    assert Postgres(url="postgresql://h/d").shares("postgresql://H:5432/d")
    assert not Postgres(url="sqlite://").shares("sqlite://")


def test_the_password_is_not_shown(sink):
    assert "sesame" not in repr(sink)
    assert "sesame" not in repr(sink._database())


def test_a_wrong_url_is_not_repeated():
    with pytest.raises(SinkError) as caught:
        Postgres(url="postgresql:/werks:sesame@127.0.0.1/x").open(SCHEMAS)
    assert str(caught.value).startswith("url: this is no database URL; it looks like postgresql://")
    assert "sesame" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_missing_driver_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(PluginError, match=r"pip install 'werks-sinks\[postgres\]'"):
        Postgres(url="postgresql://127.0.0.1/x").open(SCHEMAS)


def test_an_unknown_database_is_named():
    with pytest.raises(
        PluginError, match=r"^nosuch://127\.0\.0\.1:5432/x: .*install its SQLAlchemy"
    ):
        Postgres(url="nosuch://:sesame@127.0.0.1/x").open(SCHEMAS)


def test_the_slow_way_is_told_once(tmp_path, caplog):
    server._tell_slow.cache_clear()
    sink = Postgres(url=f"sqlite:///{tmp_path}/werks.sqlite")
    with caplog.at_level(logging.WARNING, "werks"):
        for _ in range(3):
            write(sink, DAY, "bars", sample("bars"))
    (record,) = caplog.records
    assert record.getMessage().endswith("werks.sqlite: rows go there by plain inserts, "
                                        "which is the slow way; PostgreSQL's is COPY")  # fmt: skip


def test_other_scales_are_welcome(sink, query):
    write(sink, DAY, "bars", sample("bars"))
    of = schema("BAR", Scales(1, 1))
    write(sink, REMAINDER, "bars", schemas={"bars": of})
    assert query("SELECT count(*) FROM bars") == [(40,)]
