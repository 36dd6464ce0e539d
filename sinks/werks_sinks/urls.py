"""Database URLs: which server and database they mean, and what may be shown of them."""

from pathlib import Path

import sqlalchemy as sa

from werks.errors import SinkError

_POSTGRES = ("postgresql", "postgres")
_PORT = 5432


def parsed(url: str) -> sa.URL:
    """Return the parts of a URL; SinkError, which does not repeat it, if it is none."""
    try:
        found = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        # The cause may hold the URL, and with it the password.
        raise SinkError(
            "url: this is no database URL; it looks like postgresql://user:password@host:5432/name"
        ) from None
    if found.get_backend_name() == "sqlite" and found.database in (None, "", ":memory:"):
        raise SinkError(
            "url: a database in memory ends with its connection; name a file, as in sqlite:///x.db"
        )
    # By this driver alone there is a COPY of bytes; older SQLAlchemy would take another.
    return found.set(drivername="postgresql+psycopg") if is_postgres(found) else found


def is_postgres(url: sa.URL) -> bool:
    """Tell whether a URL is PostgreSQL's."""
    return url.drivername.split("+")[0] in _POSTGRES


def shown(url: sa.URL) -> str:
    """Return a URL without its password, its driver and its options."""
    if not url.host and not url.query.get("host"):
        return f"{url.drivername.split('+')[0]}:///{url.database or ''}"
    user = f"{url.username}@" if url.username else ""
    return f"{url.drivername.split('+')[0]}://{user}{_host(url)}:{_port(url)}/{url.database or ''}"


def same(one: str, other: str) -> bool:
    """Tell whether two URLs, or paths of SQLite files, mean the same database and user."""
    try:
        return _meant(one) == _meant(other)
    except SinkError:
        return False


def _meant(url: str) -> tuple[object, ...]:
    """Return what tells a database from all others."""
    if "://" not in url:
        return "sqlite", Path(url).resolve()
    parts = parsed(url)
    kind = parts.get_backend_name()
    if kind == "sqlite":
        return kind, Path(parts.database or "").resolve()
    return (
        kind,
        _host(parts).lower(),
        _port(parts),
        parts.username,
        parts.database or parts.username,
    )


def _host(url: sa.URL) -> str:
    return str(url.host or url.query.get("host") or "localhost")


def _port(url: sa.URL) -> str:
    return str(url.port or url.query.get("port") or _PORT)
