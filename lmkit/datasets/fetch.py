"""Bringing one pinned file over HTTP: whole, checked, resumable.

No more bytes are taken than the catalogue allows for, and no more time. What a server sends is
printed with its control characters escaped.

`fetch` fills a `Partial` (the bytes so far, and a note that says what they are)
and returns when its length and git blob id are right. Whatever else happens is
one `DownloadError`, and what it leaves behind is decided in one place: bytes
that the same server can continue (it takes ranges) stay for the next call,
everything else is removed.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import json
import os
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPMessage, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lmkit.datasets import connection
from lmkit.datasets.catalogue import Source, without_password
from lmkit.datasets.connection import Clock, Deadline, RedirectError, open_url
from lmkit.datasets.location import cannot_write
from lmkit.errors import DownloadError
from lmkit.visible import on_one_line

RETRY_DELAYS_SECONDS = (0.5, 1.0, 2.0)
BLOCK_BYTES = 1 << 16
LONGEST_REASON = 200
"""Characters of what a server has sent that are shown in an error."""
NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)
UNBELIEVABLE = 10**18
"""Bytes that no server has to send."""
TRANSIENT_STATUSES = (408, 425, 429, 500, 502, 503, 504)

Progress = Callable[[int, int | None], None]
"""Called with the bytes there are so far and the bytes there will be (None: not known)."""


clock: Clock = time.monotonic
"""What deadlines go by."""


class _BrokenOff(Exception):
    """The transfer failed in a way that another attempt may mend."""


@dataclass(frozen=True)
class Partial:
    """The bytes of an unfinished download, and beside them what they are part of."""

    body: Path

    @property
    def _note(self) -> Path:
        return self.body.with_suffix(".json")

    def size(self) -> int:
        """Bytes so far, 0 where there is nothing."""
        return self.body.stat().st_size if self.body.exists() else 0

    def resumable_from(self, source: Source) -> dict[str, Any] | None:
        """The note of an earlier call, where its bytes belong to ``source``; else None. Bytes
        that could not be checked when they are joined are not continued."""
        if source.git_blob is None:
            return None
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        fits = isinstance(note, dict) and note.get("git_blob") == source.git_blob
        return note if fits and self.size() else None

    def note(self, source: Source, headers: HTTPMessage) -> None:
        """Write down that a later call may continue, where the server takes ranges.

        No validator is needed for that: the git blob id checks the joined bytes.
        """
        etag = headers.get("ETag", "")
        strong = etag if etag.startswith('"') else None
        ranges = headers.get("Accept-Ranges", "").strip().lower() == "bytes"
        if source.git_blob is not None and (strong or ranges):
            text = json.dumps({"git_blob": source.git_blob, "etag": strong})
            self._note.write_text(text, encoding="utf-8")
        else:
            self._note.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove every trace."""
        self.body.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def discard_note(self) -> None:
        """Forget that the bytes can be continued: they are whole."""
        self._note.unlink(missing_ok=True)


def git_blob_id(path: Path) -> str:
    """The SHA-1, in hex, by which git names a file with this content."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def fetch(source: Source, label: str, partial: Partial, progress: Progress | None = None) -> None:
    """Fill ``partial.body`` with the checked content of ``source``.

    Continues bytes of an earlier call where there are some, and tries again a few
    times where the connection breaks. ``label`` names the file in errors. The
    caller holds the lock on ``partial``. Raises `DownloadError`.
    """
    deadline = Deadline(source.most_seconds, clock)
    try:
        _bring(source, label, partial, deadline, progress)
    except OSError as error:  # of the disk: those of the network are translated where they arise
        partial.discard()
        raise cannot_write(partial.body, error) from error
    except BaseException:  # an interrupt, too, must not leave what nobody can continue
        if partial.resumable_from(source) is None:
            partial.discard()
        raise
    partial.discard_note()


def _bring(
    source: Source, label: str, partial: Partial, deadline: Deadline, progress: Progress | None
) -> None:
    continued = partial.resumable_from(source) is not None
    _transfer(source, label, partial, deadline, progress)
    if continued and not _is_right(source, partial.body):
        partial.discard()  # the earlier bytes may be the wrong ones: once more, without them
        _transfer(source, label, partial, deadline, progress)
    if not _is_right(source, partial.body):
        raise _wrong_content(source, label, partial, f"{partial.size()} bytes")


def _is_right(source: Source, body: Path) -> bool:
    size_fits = source.size is None or body.stat().st_size == source.size
    return size_fits and source.git_blob in (None, git_blob_id(body))


def _transfer(
    source: Source, label: str, partial: Partial, deadline: Deadline, progress: Progress | None
) -> None:
    """Bring the bytes, in several attempts where it must be; they are not checked yet."""
    reason = ""
    for delay in (0.0, *RETRY_DELAYS_SECONDS):
        if deadline.left() <= delay:
            reason = f"it was not whole within {deadline.seconds:,.0f} seconds"
            break
        time.sleep(delay)
        try:
            return _attempt(source, label, partial, deadline, progress)
        except _BrokenOff as broken:
            reason = str(broken)
    raise _gave_up(source, label, partial, reason)


def _attempt(
    source: Source, label: str, partial: Partial, deadline: Deadline, progress: Progress | None
) -> None:
    note = partial.resumable_from(source)
    headers = {"User-Agent": "lmkit", "Accept-Encoding": "identity"}
    if note is not None:
        headers["Range"] = f"bytes={partial.size()}-"
        if note.get("etag"):
            headers["If-Range"] = note["etag"]
    request = urllib.request.Request(source.url, headers=headers)
    try:
        response = open_url(request, deadline)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and note is not None:
            return  # nothing comes after the bytes that are there: the check judges them
        if error.code in TRANSIENT_STATUSES:
            raise _BrokenOff(_answer(error.code)) from error
        raise _refused(source, label, partial, error.code) from error
    except urllib.error.URLError as error:
        raise _unreachable(source, label, error.reason) from error
    except RedirectError as error:
        raise _led_astray(source, label, partial, str(error)) from error
    except (OSError, http.client.HTTPException, ValueError, OverflowError) as error:
        raise _BrokenOff(_describe(error)) from error
    with response:
        _receive(response, source, label, partial, progress)


def _receive(
    response: HTTPResponse,
    source: Source,
    label: str,
    partial: Partial,
    progress: Progress | None,
) -> None:
    """Write what the server sends: the rest of the file, or all of it where it takes no ranges."""
    done = 0
    if response.status == http.client.PARTIAL_CONTENT:
        done = partial.size()
        if not response.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
            partial.discard()
            raise _BrokenOff("the server sent another range than the one asked for")
    total = _announced(response, done)
    if total is not None and (total > source.most_bytes or source.size not in (None, total)):
        shown = f"{total} bytes" if total < UNBELIEVABLE else "any number of bytes"
        raise _wrong_content(source, label, partial, shown)
    total = source.size if total is None else total
    most = source.most_bytes if total is None else total
    with partial.body.open("ab" if done else "wb") as body:
        if not done:
            partial.note(source, response.headers)
        while block := _read(response):
            body.write(block)
            done += len(block)
            if done > most:
                break
            if progress:
                progress(done, total)
        body.flush()
        os.fsync(body.fileno())
    if done > most:
        raise _wrong_content(source, label, partial, f"more than {most} bytes")
    if total is not None and done < total:
        raise _BrokenOff(f"the connection closed after {done} of {total} bytes")


def _announced(response: HTTPResponse, done: int) -> int | None:
    """The bytes there will be with the ``done`` ones; None where the server does not say, or says
    nonsense."""
    length = response.headers.get("Content-Length", "").strip()
    if not re.fullmatch("[0-9]+", length):
        return None
    return done + (int(length) if len(length) <= 18 else UNBELIEVABLE)


def _read(response: HTTPResponse) -> bytes:
    try:
        # What has come so far, not a whole block: the deadline is looked at in between.
        return response.read1(BLOCK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenOff(_describe(error)) from error


def _describe(error: object) -> str:
    """What the network raised, as a few words on one line."""
    if isinstance(error, TimeoutError):
        return f"the server did not answer within {connection.TIMEOUT_SECONDS:g} seconds"
    if isinstance(error, http.client.IncompleteRead):
        return "the connection closed too early"
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = _shown(getattr(error, "verify_message", "") or str(error))
        return f"the server's certificate is not trusted ({reason})"
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return _shown(text)


def _shown(text: str) -> str:
    """What a server has sent, as a few harmless words."""
    words = on_one_line(without_password(" ".join(text.split())))
    return words if len(words) <= LONGEST_REASON else f"{words[:LONGEST_REASON]}…"


def _answer(status: int) -> str:
    return f"the server answered {status} {http.client.responses.get(status, '')}".rstrip()


def _unreachable(source: Source, label: str, reason: object) -> Exception:
    """No connection was made: worth another attempt only where that may pass by itself."""
    no_route = isinstance(reason, OSError) and reason.errno in NO_ROUTE
    lasting = (socket.gaierror, ConnectionRefusedError, ssl.SSLCertVerificationError)
    if isinstance(reason, OSError) and not no_route and not isinstance(reason, lasting):
        return _BrokenOff(_describe(reason))
    hint = "the same command when the network is back, or set LMKIT_DATA_MIRROR to a mirror"
    if isinstance(reason, ssl.SSLCertVerificationError):
        hint = "a newer bundle of certificates (SSL_CERT_FILE names it), or LMKIT_DATA_MIRROR"
    host = urlsplit(without_password(source.url)).netloc
    return DownloadError(
        f"cannot fetch {label}: no connection to {host}: {_describe(reason)}", hint
    )


def _refused(source: Source, label: str, partial: Partial, status: int) -> DownloadError:
    partial.discard()
    return DownloadError(
        f"cannot fetch {label}: {_answer(status)} for {without_password(source.url)}",
        "the address in a browser, and LMKIT_DATA_MIRROR if it is set",
    )


def _led_astray(source: Source, label: str, partial: Partial, address: str) -> DownloadError:
    partial.discard()
    return DownloadError(
        f"cannot fetch {label}: the server leads to {_shown(address)!r}, which is not an https"
        " address",
        "the address in a browser, and LMKIT_DATA_MIRROR if it is set",
    )


def _wrong_content(source: Source, label: str, partial: Partial, found: str) -> DownloadError:
    partial.discard()
    expected = f"git blob {source.git_blob}"
    if source.size is not None:
        expected += f", {source.size} bytes"
    else:
        expected += f", at most {source.most_bytes} bytes"
    address = without_password(source.url)
    return DownloadError(
        f"cannot fetch {label}: {address} sent {found} that are not the pinned file"
        f" ({expected}); nothing was kept",
        "again without the proxy or mirror that may have changed it",
    )


def _gave_up(source: Source, label: str, partial: Partial, reason: str) -> DownloadError:
    kept = partial.size() if partial.resumable_from(source) is not None else 0
    message = f"cannot fetch {label} from {without_password(source.url)}: {reason}"
    if kept:
        return DownloadError(
            f"{message}; {kept} bytes are kept", "the same command, to go on from there"
        )
    return DownloadError(f"{message}; nothing was kept", "the same command again later")
