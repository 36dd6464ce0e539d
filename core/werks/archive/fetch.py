"""A published file on this disk: downloaded, checked against its checksum, kept or thrown away."""

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..components import File
from ..errors import ChecksumError, DataError, MessageError, MissingError, WerksError
from ..http import Http
from ..scratch import scratch

Content = Callable[[File], Iterable[bytes]]
# In seconds: nobody writes a file any more that has not grown for so long.
_ABANDONED = 3600.0


@contextmanager
def fetched(
    file: File, http: Http, cache: Path | None = None, content: Content | None = None
) -> Iterator[Path]:
    """Yield the path of a file that is whole; what was downloaded is removed after, unless cached.

    What its reader finds to be broken does not stay in the cache.

    MissingError where it is not published, ChecksumError where its bytes are not those that were.
    """
    if file.url.startswith("file:"):
        yield _local(file)
        return
    if cache is not None:
        path = _cached(file, http, cache, content)
        try:
            yield path
        except (DataError, MessageError):  # it is fetched anew, not found broken for ever
            path.unlink(missing_ok=True)
            raise
        return
    with ExitStack() as stack:
        with _keeping(file, "the folder for temporary files", "make room or set TMPDIR"):
            folder = stack.enter_context(scratch())
        path = folder / _safe(file.name)
        with _keeping(file, path, "make room or set TMPDIR"):
            _bring(file, http, path, content)
        yield path


def _local(file: File) -> Path:
    path = Path(unquote(urlsplit(file.url).path))
    if not path.is_file():
        raise MissingError(f"{path}: there is no such file")
    if file.checksum.startswith("sha256:"):
        _verify(file, path, file.checksum)
    return path


def _cached(file: File, http: Http, cache: Path, content: Content | None) -> Path:
    parts = urlsplit(file.url)
    folders = [_safe(part) for part in (parts.netloc, *parts.path.split("/")) if part]
    path = cache.joinpath(*folders)
    with _keeping(file, path, "make room or name another folder as cache"):
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _sweep(path)
            aside = path.with_name(f".{path.name}.{os.getpid()}")
            try:
                _bring(file, http, aside, content)
                aside.replace(path)
            finally:
                aside.unlink(missing_ok=True)
    return path


def _sweep(path: Path) -> None:
    """Remove what killed processes have left of a file, on whichever machine they were."""
    for name in os.listdir(path.parent):  # noqa: PTH208  (a path a name would cost more)
        if name.startswith(f".{path.name}."):
            with suppress(OSError):  # it is gone by now
                left = path.with_name(name)
                if time.time() - left.stat().st_mtime > _ABANDONED:
                    left.unlink()


@contextmanager
def _keeping(file: File, where: Path | str, advice: str) -> Iterator[None]:
    """Turn an error of the file system into one that names the place and what to do."""
    try:
        yield
    except OSError as error:
        place, why = error.filename or where, error.strerror or error
        raise WerksError(f"{place}: {file.name} cannot be kept there: {why}; {advice}") from error


def _bring(file: File, http: Http, path: Path, content: Content | None) -> None:
    if content is not None:
        with path.open("wb") as out:
            out.writelines(content(file))
    else:
        http.download(file.url, path)
    if file.checksum:
        _verify(file, path, _published(file, http))


def _published(file: File, http: Http) -> str:
    if file.checksum.startswith("sha256:"):
        return file.checksum
    found = re.match(r"[0-9a-fA-F]{64}\b", http.text(file.checksum).strip())
    if not found:
        raise ChecksumError(f"{file.checksum}: holds no SHA-256 checksum; try again later")
    return f"sha256:{found[0].lower()}"


def _verify(file: File, path: Path, checksum: str) -> None:
    with path.open("rb") as data:
        digest = f"sha256:{hashlib.file_digest(data, 'sha256').hexdigest()}"
    if digest != checksum.lower():
        raise ChecksumError(
            f"{file.url}: the checksum is {digest}, published is {checksum}; the file is broken or"
            " was replaced: run again"
        )


def _safe(part: str) -> str:
    return re.sub(r"[^\w.-]", "_", part).lstrip(".") or "_"
