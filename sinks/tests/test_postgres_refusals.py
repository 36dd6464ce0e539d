import socket
import time
from contextlib import closing

import pytest

from werks.errors import SinkError
from werks.testing.sink import DAY, SCHEMAS, prove, sample
from werks_sinks.postgres import Postgres


@pytest.fixture
def sink(postgres, database):
    return Postgres(url=postgres.url(database), timeout=20)


def put(sink, rows, window=DAY):
    with closing(sink.open(SCHEMAS)) as writer:
        writer.write(window, "trades", rows)
        return writer.commit(window, {"trades": prove("trades", rows)})


def refused(sink):
    """Return what is said when a sink cannot be opened."""
    with pytest.raises(SinkError) as caught:
        sink.open(SCHEMAS)
    said = str(caught.value)
    assert "sesame" not in said
    assert "\n" not in said
    return said


def test_a_wrong_password_is_named(postgres, database):
    said = refused(Postgres(url=postgres.url(database, password="sesame, open")))
    assert said.startswith(f"postgresql://werks@127.0.0.1:{postgres.port}/{database} cannot be")
    assert 'password authentication failed for user "werks"' in said


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused_before_its_rows_are_lost(url):
    assert "ends with its connection; name a file" in refused(Postgres(url=url))


def test_a_missing_database_is_named(postgres):
    assert 'database "nothing" does not exist' in refused(Postgres(url=postgres.url("nothing")))


def test_a_server_that_is_down_is_named_at_once(postgres, database):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    began = time.monotonic()
    said = refused(Postgres(url=postgres.url(database, port=port)))
    assert "Connection refused" in said
    assert "start it or mend the url" in said
    assert time.monotonic() - began < 5


def test_a_host_that_does_not_exist_is_named():
    said = refused(Postgres(url="postgresql://werks:sesame@no.such.host.invalid/x"))
    assert said.startswith("postgresql://werks@no.such.host.invalid:5432/x cannot be reached: ")


@pytest.fixture
def guest(postgres, database):
    """The sink of a user who may do nothing of what has not been granted."""
    with closing(postgres.connect(database)) as connection:
        connection.execute("REVOKE CREATE ON SCHEMA public FROM public")
        connection.execute(f"CREATE ROLE guest_{database} LOGIN PASSWORD 'open sesame'")
        yield Postgres(url=postgres.url(database, user=f"guest_{database}"))
        connection.execute(f"DROP ROLE guest_{database}")


def test_a_user_who_may_not_make_tables_is_told(guest):
    with closing(guest.open(SCHEMAS)) as writer:
        writer.write(DAY, "trades", sample("trades"))
        with pytest.raises(SinkError) as caught:
            writer.commit(DAY, {"trades": prove("trades", sample("trades"))})
    said = str(caught.value)
    assert said.endswith(
        ": the user may not do that: permission denied for schema public; grant it"
    )


def test_a_user_who_may_not_read_the_tables_is_told(guest, sink):
    put(sink, sample("trades"))
    assert "the user may not do that: permission denied for table werks_tables" in refused(guest)


def test_a_server_that_only_reads_is_named(postgres, database, sink):
    put(sink, sample("trades"))
    with postgres.connect(database) as connection:
        connection.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    with pytest.raises(SinkError, match="it can only be read; name the server that takes writes"):
        put(sink, sample("trades"))


# A limit that ends between two statements is told as "user request": so one of them takes long.
SLOW = """
CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(20); RETURN NULL; END $$;
CREATE TRIGGER nap BEFORE INSERT ON trades FOR EACH STATEMENT EXECUTE FUNCTION nap()
"""


def test_a_limit_for_statements_is_named(postgres, database, sink):
    put(sink, sample("trades"))
    with postgres.connect(database) as connection:
        connection.execute(SLOW)
        connection.execute(f"ALTER DATABASE {database} SET statement_timeout = '500ms'")
    with pytest.raises(
        SinkError, match=r"canceling statement due to statement timeout; set a longer"
    ):
        put(sink, sample("trades"))
