"""Sinks with tables, and a way to look into their databases; loaded by its path."""

import pyarrow as pa
import pytest
import sqlalchemy as sa

from werks.proof import Digest
from werks.testing.sink import SCHEMAS
from werks_sinks.postgres import Postgres
from werks_sinks.sqlite import Sqlite


class Store:
    """A sink, and a way to look into its database beside it."""

    def __init__(self, sink, url):
        self.sink = sink
        self.engine = sa.create_engine(url, poolclass=sa.NullPool)

    def query(self, sql, **values):
        with self.engine.begin() as connection:
            return [tuple(row) for row in connection.execute(sa.text(sql), values)]

    def run(self, sql):
        with self.engine.begin() as connection:
            connection.execute(sa.text(sql))

    def write(self, window, node, *batches, schemas=SCHEMAS, mark=None):
        writer = self.sink.open(schemas)
        digest = Digest(schemas[node])
        try:
            for rows in batches:
                digest.add(rows)
                writer.write(window, node, rows)
            return writer.commit(window, {node: digest.proof()}, mark)
        finally:
            writer.close()

    def read(self, window, node, of=None):
        of = of or SCHEMAS[node]
        return pa.Table.from_batches(self.sink.read(window, node, of), of)


@pytest.fixture(params=["sqlite", "sqlite by its URL", "postgres"])
def store(request, tmp_path):
    if request.param == "postgres":
        url = request.getfixturevalue("postgres").url(request.getfixturevalue("database"))
        return Store(Postgres(url=url, timeout=20), url)
    url = f"sqlite:///{tmp_path / 'werks.sqlite'}"
    if request.param == "sqlite":
        return Store(Sqlite(path=tmp_path / "werks.sqlite"), url)
    return Store(Postgres(url=url), url)
