"""One file from any of several mirrors: resumed where it stopped, verified, and in its place only when it is whole."""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from filelock import FileLock

from autograph.errors import DatasetError, DownloadError

_CHUNK = 1 << 16
_TIMEOUT = 15.0  # seconds without a byte
_RESUMES = 8  # of one mirror, as long as each brings something


def download(
    urls: Sequence[str], target: Path, *, max_bytes: int, verify: Callable[[Path], None], progress: bool = True
) -> None:
    """Download a file, from the first mirror that delivers it whole and sound.

    What has arrived is kept beside the target and a later call, of this process or another, goes on from there.
    Processes that want the same file take turns.

    Args:
        urls: where the file is, in order of preference.
        target: where it goes; its folder is made.
        max_bytes: the most it can be; a mirror that sends more is left.
        verify: raises :class:`DatasetError` for a file that is not as it should be.
        progress: whether to draw a progress bar.

    Raises:
        DownloadError: no mirror could be reached, or none delivered the whole file.
        DatasetError: what the mirrors deliver is not sound, or it cannot be written.
    """
    part = target.with_name(f"{target.stem}.part{target.suffix}")
    errors: list[DatasetError] = []
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = target.with_name(f"{target.name}.lock")
        for path in (target, part, lock):  # opening a named pipe would wait for ever
            if path.exists() and not path.is_file():
                raise DatasetError(f"{path}: cannot be written: it is not a plain file")
        with FileLock(lock):
            if target.exists() and _is_valid(target, verify):
                return
            for url in urls:
                try:
                    _fetch_verified(url, part, max_bytes, verify, progress)
                except DatasetError as error:
                    errors.append(error)
                else:
                    part.replace(target)
                    return
    except OSError as error:
        raise DatasetError(f"{target}: cannot be written: {error}") from error
    message = f"{target.name} could not be downloaded: {'; '.join(map(str, errors))}"
    unsound = any(not isinstance(error, DownloadError) for error in errors)
    raise DatasetError(message) if unsound else DownloadError(message)


def _is_valid(path: Path, verify: Callable[[Path], None]) -> bool:
    try:
        verify(path)
    except DatasetError:
        return False
    return True


def _fetch_verified(url: str, part: Path, max_bytes: int, verify: Callable[[Path], None], progress: bool) -> None:
    resumed = _size(part) > 0
    _fetch(url, part, max_bytes, progress)
    try:
        verify(part)
    except DatasetError as error:
        part.unlink()
        # The first part may come from another mirror or another day: only a whole download shows what this one has.
        if not resumed:
            raise DatasetError(f"{url} delivers a damaged file: {error}") from None
        _fetch_verified(url, part, max_bytes, verify, progress)


def _fetch(url: str, part: Path, max_bytes: int, progress: bool) -> None:
    for _ in range(_RESUMES):
        before = _size(part)
        try:
            _receive(url, part, max_bytes, progress)
            return
        except DownloadError:
            if _size(part) == before:
                raise
    raise DownloadError(f"{url} stopped {_RESUMES} times before the end")


def _receive(url: str, part: Path, max_bytes: int, progress: bool) -> None:
    offset = _size(part)
    request = urllib.request.Request(url, headers={"Range": f"bytes={offset}-"} if offset else {})
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        with error:
            if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise DownloadError(f"{url} answers {error.code} {error.reason}") from None
            if error.headers.get("Content-Range") == f"bytes */{offset}":
                return  # the part is already the whole
        part.unlink(missing_ok=True)
        raise DownloadError(f"{url} cannot resume from byte {offset}") from None
    except (OSError, http.client.HTTPException) as error:
        host = urllib.parse.urlsplit(url).netloc
        raise DownloadError(f"{host} cannot be reached ({getattr(error, 'reason', error)})") from None
    with response:
        start, total = _extent(response)
        if start not in (0, offset):
            raise DownloadError(f"{url} resumes at byte {start}, asked for {offset}")
        with part.open("r+b" if start else "wb") as file, _progress_bar(part, start, total, progress) as advance:
            file.seek(start)
            for chunk in _chunks(url, response):
                if file.tell() + len(chunk) > max_bytes:
                    file.truncate(0)
                    raise DatasetError(f"{url} delivers more than {max_bytes} bytes")
                file.write(chunk)
                advance(len(chunk))
            got = file.tell()
    if total is not None and got < total:
        raise DownloadError(f"{url} stopped after {got} of {total} bytes")


def _extent(response: http.client.HTTPResponse) -> tuple[int, int | None]:
    """The first byte that the response carries, and the length of the whole file where it is told."""
    if response.status == http.HTTPStatus.PARTIAL_CONTENT:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if match is None:
            return -1, None
        return int(match[1]), None if match[2] == "*" else int(match[2])
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None


def _chunks(url: str, response: IO[bytes]) -> Iterator[bytes]:
    while True:
        try:
            chunk = response.read(_CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise DownloadError(f"{url} stopped: {error}") from None
        if not chunk:
            return
        yield chunk


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


@contextmanager
def _progress_bar(part: Path, start: int, total: int | None, progress: bool) -> Iterator[Callable[[int], Any]]:
    if not progress:
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, TransferSpeedColumn

    columns = *Progress.get_default_columns(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns, console=Console(stderr=True)) as shown:
        task = shown.add_task(part.name.replace(".part", ""), completed=start, total=total)
        yield lambda count: shown.advance(task, count)
