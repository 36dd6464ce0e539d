"""The tables of the ledger; their names leave those of nodes free, whose rows may lie beside."""

from typing import Any

import sqlalchemy as sa

VERSION = 3
META = sa.MetaData()
STREAM = ("pipeline", "exchange", "symbol", "component")


def _key(*names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.String(200), primary_key=True) for name in names]


def _day() -> sa.Column[Any]:
    return sa.Column("day", sa.Date, primary_key=True)


def _time(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True))


LEDGER = sa.Table("werks_ledger", META, sa.Column("version", sa.Integer, primary_key=True))
WINDOWS = sa.Table(
    "werks_ledger_windows",
    META,
    *_key(*STREAM),
    _day(),
    sa.Column("door", sa.String(20)),
    sa.Column("url", sa.Text),
    sa.Column("reason", sa.Text),  # why it was read by this door and not by the one before
    sa.Column("until", sa.BigInteger),
    sa.Column("finished", sa.Boolean),
    sa.Column("rows", sa.BigInteger),
    sa.Column("repeats", sa.BigInteger),
    sa.Column("holes", sa.BigInteger),
    sa.Column("size", sa.Text),
    sa.Column("notional", sa.Text),
    sa.Column("first_id", sa.Text),
    sa.Column("last_id", sa.Text),
    sa.Column("least_id", sa.BigInteger),
    sa.Column("most_id", sa.BigInteger),
    sa.Column("cursor", sa.Text),
    sa.Column("joined", sa.String(20)),
    sa.Column("verified", sa.Boolean),
    sa.Column("verified_why", sa.Text),
    _time("done_at"),
)
COMMITS = sa.Table(
    "werks_ledger_commits",
    META,
    *_key(*STREAM, "node"),
    _day(),
    *_key("sink"),
    sa.Column("fingerprint", sa.String(64)),
    sa.Column("began", sa.String(64)),
    sa.Column("until", sa.BigInteger),
    sa.Column("receipt", sa.Text),
    sa.Column("proof", sa.Text),
    _time("done_at"),
)
MARKS = sa.Table(
    "werks_ledger_marks",
    META,
    *_key(*STREAM, "node"),
    _day(),
    sa.Column("fingerprint", sa.String(64)),
    sa.Column("state", sa.Text),
)
GAPS = sa.Table(
    "werks_ledger_gaps",
    META,
    *_key(*STREAM),
    _day(),
    *_key("kind"),
    sa.Column("status", sa.String(20)),
    sa.Column("cause", sa.Text),
    sa.Column("evidence", sa.Text),
    sa.Column("missing", sa.BigInteger),
    sa.Column("attempts", sa.Integer),
    _time("found_at"),
    _time("tried_at"),
)
# The minutes of windows that are not compared with the exchange's candles yet.
MINUTES = sa.Table(
    "werks_ledger_minutes", META, *_key(*STREAM), _day(), sa.Column("rows", sa.LargeBinary)
)
CHECKS = sa.Table(
    "werks_ledger_checks",
    META,
    *_key(*STREAM),
    _day(),
    sa.Column("minute", sa.BigInteger, primary_key=True),
    *_key("field"),
    sa.Column("ours", sa.Text),
    sa.Column("theirs", sa.Text),
    sa.Column("reason", sa.Text),
)
# Which process is at a window; `until` is in seconds since 1970.
LEASES = sa.Table(
    "werks_ledger_leases",
    META,
    *_key(*STREAM),
    _day(),
    sa.Column("owner", sa.Text),
    sa.Column("until", sa.Float),
)
# How far live windows are in all sinks: one a stream.
LIVE = sa.Table("werks_ledger_live", META, *_key(*STREAM), sa.Column("mark", sa.Text))
# What connections went through.
CONNECTIONS = sa.Table(
    "werks_ledger_connections",
    META,
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("pipeline", sa.String(200)),
    sa.Column("exchange", sa.String(200)),
    sa.Column("connection", sa.Integer),
    sa.Column("event", sa.String(20)),
    sa.Column("why", sa.Text),
    _time("at"),
)
