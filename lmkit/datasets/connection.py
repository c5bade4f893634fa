"""Connections to servers that are not trusted to be well or to mean well.

Every byte, of the answer's head too, is waited for no longer than a `Deadline` allows, however
slowly it comes. Redirects lead to https addresses only, and to http on this machine.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import socket
import time
import urllib.request
from collections.abc import Callable
from http.client import HTTPMessage, HTTPResponse
from typing import Any, cast
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 30.0
"""A connection on which nothing comes for so long is given up."""
BUFFER_BYTES = 1 << 16

Clock = Callable[[], float]


class RedirectError(Exception):
    """A redirect that is not followed; its text is the address."""


class OutOfTimeError(TimeoutError):
    """The deadline has passed."""


class Deadline:
    """The end of the time that a download may take, ``seconds`` from now by ``clock``."""

    def __init__(self, seconds: float, clock: Clock = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._end = clock() + seconds

    def left(self) -> float:
        """Seconds until then, at most 0 when it has passed."""
        return self._end - self._clock()


def open_url(request: urllib.request.Request, deadline: Deadline) -> HTTPResponse:
    """The answer to ``request``.

    Raises what `urllib.request.urlopen` raises, `RedirectError` for a redirect that is not
    followed, and `OutOfTimeError`, which reading the answer may raise as well.
    """
    # No handler of other kinds of addresses: files and ftp are not there to be opened.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        _Http(deadline),
        _Https(deadline),
        urllib.request.HTTPDefaultErrorHandler(),
        _Redirects(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return cast(HTTPResponse, opener.open(request, timeout=TIMEOUT_SECONDS))


class _Http(urllib.request.HTTPHandler):
    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._connect = _within(deadline, http.client.HTTPConnection)

    def http_open(self, request: urllib.request.Request) -> HTTPResponse:
        return self.do_open(self._connect, request)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._connect = _within(deadline, http.client.HTTPSConnection)

    def https_open(self, request: urllib.request.Request) -> HTTPResponse:
        return self.do_open(self._connect, request)


def _within(deadline: Deadline, kind: type[http.client.HTTPConnection]) -> Any:
    """What makes connections of a ``kind`` whose answers come within ``deadline``."""

    def connect(host: str, **options: Any) -> http.client.HTTPConnection:
        connection = kind(host, **options)
        connection.response_class = lambda *of, **how: _Response(deadline, *of, **how)  # type: ignore[assignment]
        return connection

    return connect


class _Response(HTTPResponse):
    def __init__(self, deadline: Deadline, sock: socket.socket, *of: Any, **how: Any) -> None:
        super().__init__(sock, *of, **how)
        self.fp.close()
        self.fp = io.BufferedReader(_TimedSocket(sock, deadline), BUFFER_BYTES)


class _TimedSocket(io.RawIOBase):
    """Reads from a socket, each time waiting no longer than there is time."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline.left()
        if left <= 0:
            raise OutOfTimeError
        self._sock.settimeout(min(left, TIMEOUT_SECONDS))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: Any,
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        # Else the body, which may have no end, would be read into memory before the next request.
        fp.close()
        if not may_follow(newurl):
            raise RedirectError(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)

    def http_error_302(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: HTTPMessage
    ) -> Any:
        # The base class refuses some addresses itself, as an HTTPError that shows them as they are.
        location = headers.get("Location") or headers.get("URI") or ""
        if not _is_relative(location) and not may_follow(location):
            fp.close()
            raise RedirectError(location)
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def may_follow(url: str) -> bool:
    """Whether a redirect to ``url`` is followed: https, or http on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "https":
            return bool(host)
        return parts.scheme == "http" and (
            host == "localhost" or ipaddress.ip_address(host).is_loopback
        )
    except ValueError:
        return False


def _is_relative(url: str) -> bool:
    """Whether ``url`` names no kind of address of its own."""
    try:
        return not urlsplit(url).scheme
    except ValueError:
        return False
