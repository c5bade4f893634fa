"""The server itself: a socket, uvicorn, and an end in which no running request is lost."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from importlib import import_module

from lmkit.errors import LmkitError, UsageError
from lmkit.model import LanguageModel
from lmkit.neural.blas import one_thread
from lmkit.serving.connections import bounded
from lmkit.serving.limits import Limits
from lmkit.serving.refusals import place_of

BACKLOG = 2048


def require_packages() -> None:
    """Raises `LmkitError` if the packages of the extra are not there."""
    try:
        for package in ("starlette", "uvicorn"):
            import_module(package)
    except ModuleNotFoundError as error:
        raise LmkitError(
            f"serving needs the package {error.name}, which is not installed",
            "pip install 'lmkit[serve]'",
        ) from None


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; ``port`` 0 takes a free one, and IPv6 may be in brackets, as
    in a URL. Raises `UsageError` for a host that has no address, and `LmkitError` for one of
    another machine or a port that is taken."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError):
        raise UsageError(f"there is no host {host!r}", "--host 127.0.0.1") from None
    listening = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        reason = (os.strerror(error.errno) if error.errno else str(error)).lower()
        taken = error.errno in (errno.EADDRINUSE, errno.EACCES)
        hint = "--port 0, which takes a free one" if taken else "--host 127.0.0.1"
        raise LmkitError(f"cannot listen at {host} port {port}: {reason}", hint) from None
    return listening


def is_loopback(listening: socket.socket) -> bool:
    """Whether only this machine can reach the socket."""
    return ipaddress.ip_address(listening.getsockname()[0].partition("%")[0]).is_loopback


def url_of(host: str, listening: socket.socket) -> str:
    """Where clients find the socket, by the name it was asked for."""
    name = f"[{host.strip('[]')}]" if ":" in host else host
    return f"http://{name}:{listening.getsockname()[1]}"


def serve(
    model: LanguageModel,
    name: str,
    listening: socket.socket,
    *,
    limits: Limits,
    hosts: frozenset[str] | None = None,
    ready: Callable[[], None] = lambda: None,
    log: Callable[[str], None] = lambda line: None,
) -> None:
    """Answer requests until SIGINT or SIGTERM comes; then streams end, other requests that have
    begun are answered, and new ones are refused. A second signal ends at once.

    ``ready`` is called as soon as requests are taken, ``log`` with a line for each one.
    """
    import uvicorn

    from lmkit.serving.app import App
    from lmkit.serving.service import Service

    loops: list[asyncio.AbstractEventLoop] = []

    def failed(error: BaseException) -> None:
        loops[0].call_soon_threadsafe(log, place_of(error))

    service = Service(model, name, limits, failed)
    app = App(service, hosts=hosts, log=log)
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        limit_concurrency=limits.connections,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=int(limits.timeout) + 1,
    )
    config.load()
    config.http_protocol_class = bounded(config.http_protocol_class, limits.timeout)
    _tell_of_warnings(log)

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            """The signals are seen to below."""
            yield

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()

    server = Server(config)

    def end() -> None:
        if server.should_exit:
            server.force_exit = True
        server.should_exit = True
        app.stop()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        loops.append(loop)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, end)
        service.worker.start()
        await server.serve([listening])

    # Requests come with little work each, for which threads of BLAS only wait for each other.
    with one_thread():
        asyncio.run(run())
    if not server.force_exit:
        service.worker.close()


class _Remarks(logging.Handler):
    def __init__(self, log: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        # A connection that is cut off ends in an exception, which `App` has told of.
        if record.exc_info is None:
            self._log(record.getMessage())


def _tell_of_warnings(log: Callable[[str], None]) -> None:
    """Warnings of uvicorn and of the event loop go to ``log`` too."""
    for name in ("uvicorn.error", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [_Remarks(log)]
        logger.propagate = False
