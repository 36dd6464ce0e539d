"""`werks verify --sink`: each sink proves by itself that nothing is missing, doubled or altered."""

import gzip
import json
import re
import runpy
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner
from pyarrow import feather, parquet

from werks import cli
from werks.pipeline import load, run

PIPELINE = """
[pipeline]
name = "prove"
state = "{root}/werks.db"

[sources.trades]
type = "sim.trades"
symbols = ["BTCUSD", "ETHUSD"]
start = 2024-01-01
stop = 2024-01-04
trades_per_day = 300

[transforms.dollars]
type = "bars"
by = "notional"
every = 10_000_000

[sinks.files]
type = "feather"
path = "{root}/files"
inputs = ["trades", "dollars"]

[sinks.columns]
type = "parquet"
path = "{root}/columns"
inputs = ["trades", "dollars"]

[sinks.lines]
type = "csv"
path = "{root}/lines"
compression = "gz"
inputs = ["trades", "dollars"]

[sinks.table]
type = "sqlite"
path = "{root}/rows.db"
inputs = ["trades", "dollars"]
"""
SERVERS = Path(__file__).parents[1] / "sinks/tests"
DATABASES = runpy.run_path(str(SERVERS / "servers.py"))
BUCKETS = runpy.run_path(str(SERVERS / "s3_server.py"))
postgres, database = DATABASES["postgres"], DATABASES["database"]
s3_server, s3_options = BUCKETS["s3_server"], BUCKETS["s3_options"]
STORES = ("files", "columns", "lines", "table")
DAY, SYMBOL = "2024-01-02", "BTCUSD"


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    root = tmp_path_factory.mktemp("prove")
    file = root / "p.toml"
    file.write_text(PIPELINE.format(root=root))
    assert run(load(file)).errors == []
    return file


@pytest.fixture
def place(filled, tmp_path):
    """Return a copy of all that was written, to be tampered with."""
    root = tmp_path / "copy"
    shutil.copytree(filled.parent, root)
    (root / "p.toml").write_text(PIPELINE.format(root=root))
    return root


def verified(root, sink, code=0):
    """Return what `werks verify --sink` tells, by node and symbol."""
    given = ["verify", str(root / "p.toml"), "--sink", sink, "--json"]
    done = CliRunner().invoke(cli.main, given)
    assert done.exit_code == code, (done.output, done.exception)
    return {(each["node"], each["symbol"]): each for each in json.loads(done.stdout)}


def problems(root, sink):
    """Return what is wrong with the trades that were tampered with; all else is proven."""
    found = verified(root, sink, code=1)
    wrong = [each for each in found.values() if not each["proven"]]
    assert [(each["node"], each["symbol"]) for each in wrong] == [("trades", SYMBOL)]
    return wrong[0]["problems"]


# Each kind of change, made the way of each store


def missing(rows: pa.Table) -> pa.Table:
    return pa.concat_tables([rows.slice(0, 7), rows.slice(8)])


def doubled(rows: pa.Table) -> pa.Table:
    return pa.concat_tables([rows.slice(0, 8), rows.slice(7)])


def swapped(rows: pa.Table) -> pa.Table:
    order = [*range(7), 8, 7, *range(9, len(rows))]
    return rows.take(pa.array(order, pa.int64()))


def altered(rows: pa.Table) -> pa.Table:
    """Add a unit to the price of one row, which is in no sum."""
    price = rows["price"].to_pylist()
    price[7] += 1
    changed = pa.array(price, rows.schema.field("price").type)
    return rows.set_column(rows.schema.get_field_index("price"), rows.field("price"), changed)


def rewrite(root, sink, change):
    """Change the rows of one day of one symbol, behind the back of werks."""
    day = root / sink / "trades" / "sim" / SYMBOL / DAY
    if sink == "files":
        path = day.with_suffix(".feather")
        feather.write_feather(change(feather.read_table(path)), path, compression="zstd")
    elif sink == "columns":
        path = day.with_suffix(".parquet")
        parquet.write_table(change(parquet.read_table(path)), path)
    elif sink == "lines":
        path = day.with_suffix(".csv.gz")
        head, *lines = gzip.decompress(path.read_bytes()).decode().splitlines()
        path.write_bytes(
            gzip.compress("\n".join([head, *change_lines(lines, change), ""]).encode())
        )
    else:
        change_table(root, change)


def change_lines(lines, change):
    """Change lines of text as `change` does with rows."""
    if change is not altered:
        return change(pa.table({"line": lines}))["line"].to_pylist()
    fields = lines[7].split(",")
    price = next(at for at, each in enumerate(fields) if "." in each and at > 3)
    fields[price] = f"{fields[price]}1"
    return [*lines[:7], ",".join(fields), *lines[8:]]


def change_table(root, change):
    of = f"WHERE symbol = '{SYMBOL}' AND window = '{DAY}'"
    with closing(sqlite3.connect(root / "rows.db")) as db:
        if change is altered:
            db.execute(f"UPDATE trades SET price = price + 1 {of} AND n = 7")
        elif change is missing:
            db.execute(f"DELETE FROM trades {of} AND n = 7")
        elif change is doubled:
            (last,) = db.execute(f"SELECT max(n) FROM trades {of}").fetchone()
            names = [row[1] for row in db.execute("PRAGMA table_info(trades)")]
            taken = ", ".join(str(last + 1) if name == "n" else name for name in names)
            db.execute(f"INSERT INTO trades SELECT {taken} FROM trades {of} AND n = 7")
        else:
            for old, new in ((7, -1), (8, 7), (-1, 8)):
                db.execute(f"UPDATE trades SET n = {new} {of} AND n = {old}")
        db.commit()


def test_all_sinks_prove_the_same(filled):
    found = [verified(filled.parent, sink) for sink in STORES]
    for key in found[0]:
        proofs = {
            (each[key]["hash"], each[key]["rows"], *each[key]["sums"].values()) for each in found
        }
        assert len(proofs) == 1, key
        assert [each[key]["problems"] for each in found] == [[]] * len(STORES)
    assert len(found[0]) == 4


@pytest.mark.parametrize("sink", STORES)
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (missing, r"2024-01-02: 1 rows are missing: \d+ are there, the receipt says \d+"),
        (doubled, r"2024-01-02: 1 rows are too many: \d+ are there, the receipt says \d+"),
        (swapped, "2024-01-02: altered, or in another order: the rows have another hash than the"),
        (altered, "2024-01-02: altered, or in another order: the rows have another hash than the"),
    ],
)
def test_what_was_tampered_with_is_told(place, sink, change, said):
    rewrite(place, sink, change)
    (problem,) = problems(place, sink)
    assert re.match(said, problem), problem


@pytest.mark.parametrize("sink", ["files", "table"])
def test_the_sink_alone_is_enough(place, sink):
    """Without the ledger, its receipts tell what was committed."""
    (place / "werks.db").unlink()
    assert all(each["proven"] for each in verified(place, sink).values())
    rewrite(place, sink, missing)
    assert "1 rows are missing" in problems(place, sink)[0]


def test_a_day_that_is_gone_with_its_receipt_is_told_by_the_ledger(place):
    folder = place / "files/trades/sim" / SYMBOL
    for path in (folder / f"{DAY}.feather", folder / "_receipts" / f"{DAY}.feather.json"):
        path.unlink()
    (problem,) = problems(place, "files")
    assert problem.startswith(f"{DAY}: missing, ")
    assert problem.endswith(" rows were committed")


def test_a_day_that_is_gone_with_its_receipt_is_told_without_the_ledger(place):
    """The days before and after it are there."""
    folder = place / "files/trades/sim" / SYMBOL
    for path in (folder / f"{DAY}.feather", folder / "_receipts" / f"{DAY}.feather.json"):
        path.unlink()
    (place / "werks.db").unlink()
    assert problems(place, "files") == [f"{DAY}: missing, there is not even a receipt"]


def test_a_file_that_is_gone_is_missing(place):
    (place / "files/trades/sim" / SYMBOL / f"{DAY}.feather").unlink()
    (problem,) = problems(place, "files")
    assert "rows are missing: 0 are there" in problem


@pytest.mark.parametrize("sink", ["files", "columns", "lines"])
def test_a_file_that_is_cut_is_named(place, sink):
    (path,) = (place / sink / "trades" / "sim" / SYMBOL).glob(f"{DAY}.*")
    path.write_bytes(path.read_bytes()[:-100])
    (problem,) = problems(place, sink)
    assert problem.startswith(f"{DAY}: cannot be read back: {path}")


def test_what_is_told_to_a_person_names_day_and_verdict(place):
    rewrite(place, "table", missing)
    done = CliRunner().invoke(cli.main, ["verify", str(place / "p.toml"), "--sink", "table"])
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert sum(line.startswith("proven: ") for line in lines) == 3
    assert (
        sum(line.startswith(f"NOT PROVEN: trades, sim {SYMBOL}: 3 windows") for line in lines) == 1
    )
    assert any(line.startswith(f"  {DAY}: 1 rows are missing") for line in lines)


def test_a_sink_that_is_not_there_is_refused(filled):
    done = CliRunner().invoke(cli.main, ["verify", str(filled), "--sink", "nosuch"])
    assert done.exit_code == 2
    assert "nosuch" in done.stderr


# Servers

CHANGES = (missing, doubled, swapped, altered)
SAID = ("1 rows are missing", "1 rows are too many", *["altered, or in another order"] * 2)


def far(root, words):
    """Fill a sink of four days of trades; return its pipeline file."""
    head = PIPELINE.partition("[transforms.")[0].replace(', "ETHUSD"', "").replace("-04", "-05")
    file = root / "p.toml"
    file.write_text(f'{head.format(root=root)}[sinks.far]\ninputs = ["trades"]\n{words}')
    assert run(load(file)).errors == []
    assert all(each["proven"] for each in verified(root, "far").values())
    return file


def require_told(root):
    """Each of the four days was tampered with in its own way."""
    (found,) = verified(root, "far", code=1).values()
    for day, said, problem in zip(range(1, 5), SAID, found["problems"], strict=True):
        assert problem.startswith(f"2024-01-0{day}: {said}")


def test_what_was_tampered_with_in_postgres_is_told(tmp_path, postgres, database):
    far(tmp_path, f'type = "postgres"\nurl = "{postgres.url(database)}"\n')
    with postgres.connect(database) as db:
        db.execute("DELETE FROM trades WHERE \"window\" = '2024-01-01' AND n = 7")
        db.execute("CREATE TEMP TABLE one AS SELECT * FROM trades WHERE n = 7")
        db.execute("UPDATE one SET n = 999")
        db.execute("INSERT INTO trades SELECT * FROM one WHERE \"window\" = '2024-01-02'")
        for old, new in ((7, -1), (8, 7), (-1, 8)):
            of = f"\"window\" = '2024-01-03' AND n = {old}"
            db.execute(f"UPDATE trades SET n = {new} WHERE {of}")
        db.execute("UPDATE trades SET price = price + 1 WHERE \"window\" = '2024-01-04' AND n = 7")
    require_told(tmp_path)


def test_what_was_tampered_with_in_a_bucket_is_told(tmp_path, s3_server, s3_options):
    import obstore

    words = "".join(f"{name} = {json.dumps(value)}\n" for name, value in s3_options.items())
    far(tmp_path, f'type = "s3"\npath = "{tmp_path}/spool"\n{words}')
    bucket, _, prefix = s3_options["url"].removeprefix("s3://").partition("/")
    store, path = s3_server.client(bucket), tmp_path / "day.feather"
    for day, change in enumerate(CHANGES, 1):
        key = f"{prefix}/trades/sim/{SYMBOL}/2024-01-0{day}.feather"
        path.write_bytes(obstore.get(store, key).bytes())
        feather.write_feather(change(feather.read_table(path)), path, compression="zstd")
        obstore.put(store, key, path.read_bytes())
    require_told(tmp_path)
