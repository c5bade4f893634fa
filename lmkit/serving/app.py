"""The ASGI application: requests in, answers and streams out.

Nothing here works on the model; that is done by `lmkit.serving.worker` in its thread. One time
limit holds for all of a request: until its body is here, its work done, its answer read.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from lmkit.serving.endpoints import Endpoint, endpoints
from lmkit.serving.page import openapi, page
from lmkit.serving.refusals import Refused, of_error, place_of, stopping
from lmkit.serving.service import Service
from lmkit.serving.worker import Job

Log = Callable[[str], None]

GRACE = 5.0
"""Seconds, after the time is up, in which a client that still reads is told so."""


class App:
    """The application around ``service``. ``hosts``: the names that requests may be for; None:
    any. ``log`` gets a line a request: no text of users, and no path that they made up."""

    def __init__(
        self, service: Service, *, hosts: frozenset[str] | None = None, log: Log = lambda line: None
    ) -> None:
        self._service = service
        self._hosts = hosts
        self._log = log
        self._arriving: set[asyncio.Timeout] = set()
        self._endpoints = endpoints(service.limits)
        routes = [
            Route(each.path, self._answering(each), methods=["POST"]) for each in self._endpoints
        ]
        routes += [
            Route("/v1/models", self._models),
            Route("/v1/models/{name:path}", self._model),
            Route("/health", self._health),
            Route("/openapi.json", self._openapi),
            Route("/docs", self._docs),
            Route("/", self._root),
        ]
        self._paths = {route.path for route in routes}
        self._inner = Starlette(
            routes=routes, exception_handlers={HTTPException: _of_http, Exception: _refusal}
        )
        self._inner.router.redirect_slashes = False

    def stop(self) -> None:
        """Take no more requests, nor what has not arrived yet; in the event loop."""
        self._service.worker.stop()
        for limit in self._arriving:
            if not limit.expired():
                limit.reschedule(0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1000})
            return
        begun = time.monotonic()
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        limit = self._service.limits.timeout
        scope["lmkit.deadline"] = asyncio.get_running_loop().time() + limit
        try:
            async with asyncio.timeout(limit + GRACE):
                refused = self._stranger(scope)
                if refused is not None:
                    await respond(refused.body(), refused.status)(scope, receive, watched)
                else:
                    await self._inner(scope, receive, watched)
        except TimeoutError:
            # Whoever does not read his answer is cut off; the server closes the connection.
            self._log_line(scope, status, begun, "cut off: the client reads too slowly")
            raise Gone from None
        except OSError:
            # What was answered after that, if nothing was before, nobody has read.
            self._log_line(scope, status if status < 500 else 0, begun, "the client has gone")
        except Exception as error:  # noqa: BLE001 - the client has been told, and others wait
            self._log_line(scope, status, begun, place_of(error))
        else:
            self._log_line(scope, status, begun)

    def _log_line(self, scope: Scope, status: int, begun: float, end: str = "") -> None:
        client = scope.get("client") or ("-", 0)
        path = scope["path"] if scope["path"] in self._paths else "(another path)"
        method = scope["method"] if scope["method"] in _METHODS else "(another method)"
        took = (time.monotonic() - begun) * 1000
        note = f", {end}" if end else ""
        self._log(f"{client[0]} {method} {path} {status or '-'} {took:.0f} ms{note}")

    def _stranger(self, scope: Scope) -> Refused | None:
        """A refusal for what a web page of another site makes a browser send (by its Origin, or
        by a name that it has made point here)."""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        if self._hosts is not None and _name(host) not in self._hosts:
            return Refused(403, "this server answers for its own host alone", code="host")
        origin = headers.get(b"origin")
        if origin is not None and _netloc(origin) != host:
            return Refused(403, "requests of pages from elsewhere are refused", code="origin")
        return None

    def _answering(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            limits = self._service.limits
            deadline = request.scope["lmkit.deadline"]
            try:
                body = await self._body(request, limits.request_bytes, deadline)
                asked = endpoint.form.read(body)
                job = self._service.submit(endpoint.path, asked)
            except Refused as error:
                return _refusal(request, error)
            if job.streams:
                return _Stream(self._service, job, deadline)
            try:
                found = await _unless_gone(request, job.result(deadline, limits.timeout))
            except Refused as error:
                return _refusal(request, error)
            finally:
                self._service.worker.cancel(job)
            return respond(found)

        return answer

    async def _body(self, request: Request, most: int, deadline: float) -> bytes:
        """The body. Raises `Refused` if it is compressed or has more than ``most`` bytes, at the
        deadline, and at `stop`; `ConnectionResetError` if the client goes away first."""
        if request.headers.get("content-encoding", "").lower() not in ("", "identity"):
            raise Refused(
                415, "a request may not be compressed (Content-Encoding)", code="encoding"
            )
        too_large = Refused(413, f"a request may have {most} bytes", code="too_large")
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > most:
            raise too_large
        if self._service.worker.stopping:
            raise stopping()
        parts: list[bytes] = []
        size = 0
        arriving = asyncio.timeout_at(deadline)
        self._arriving.add(arriving)
        try:
            async with arriving:
                async for part in request.stream():
                    size += len(part)
                    if size > most:
                        raise too_large
                    parts.append(part)
        except ClientDisconnect:
            raise ConnectionResetError("the client has gone") from None
        except TimeoutError:
            if self._service.worker.stopping:
                raise stopping() from None
            raise Refused(408, "the request took too long to arrive", code="timeout") from None
        finally:
            self._arriving.discard(arriving)
        return b"".join(parts)

    async def _models(self, request: Request) -> Response:
        return respond({"object": "list", "data": [self._described()]})

    async def _model(self, request: Request) -> Response:
        if request.path_params["name"] != self._service.name:
            return _refusal(request, Refused(404, "there is no such model", code="model_not_found"))
        return respond(self._described())

    def _described(self) -> dict[str, Any]:
        return {"id": self._service.name, "object": "model", "created": 0, "owned_by": "lmkit"}

    async def _health(self, request: Request) -> Response:
        return respond({"status": "ok", "queue": self._service.worker.load})

    async def _openapi(self, request: Request) -> Response:
        return respond(openapi(self._endpoints, self._service.name))

    async def _docs(self, request: Request) -> Response:
        return HTMLResponse(page(self._endpoints, self._service.name))

    async def _root(self, request: Request) -> Response:
        return RedirectResponse("/docs")


_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}


class Gone(Exception):
    """Nobody reads the answer: the server closes the connection."""


def respond(record: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """``record`` as JSON in UTF-8."""
    return Response(encoded(record), status, headers, "application/json")


def encoded(record: Any) -> bytes:
    """``record`` as JSON; a lone surrogate, which UTF-8 has not, as its escape."""
    text = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")


def _refusal(request: Request, error: Exception) -> Response:
    refused = of_error(error)
    return respond(refused.body(), refused.status, refused.headers)


def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    known = {404: "there is no such path", 405: "this path takes another method"}
    message = known.get(error.status_code, str(error.detail))
    refused = Refused(error.status_code, message, code="http", headers=dict(error.headers or {}))
    return _refusal(request, refused)


async def _unless_gone(request: Request, work: Any) -> Any:
    """The result of ``work``, unless the client goes away first."""
    answer = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request.receive))
    try:
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise ConnectionResetError("the client has gone")
        return answer.result()
    finally:
        for task in (answer, gone):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Refused):
                await task


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class _Stream(Response):
    """Server-sent events, one a record, and ``[DONE]`` at the end."""

    def __init__(self, service: Service, job: Job, deadline: float) -> None:
        super().__init__(None, 200, {"cache-control": "no-store"}, "text/event-stream")
        del self.headers["content-length"]
        self._service = service
        self._job = job
        self._deadline = deadline

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.ensure_future(self._send(send))
        gone = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                raise ConnectionResetError("the client has gone")
            await sending
        finally:
            self._service.worker.cancel(self._job)
            for task in (sending, gone):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, OSError):
                    await task

    async def _send(self, send: Send) -> None:
        head = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        begun = False
        async for event in self._events():
            if not begun:
                begun = True
                await send(head if not isinstance(event, Refused) else self._failed(event))
            data = encoded(event.body()) if isinstance(event, Refused) else event
            await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _failed(self, refused: Refused) -> Message:
        """What is refused before anything was sent is an answer like any other."""
        response = respond(refused.body(), refused.status, refused.headers)
        return {
            "type": "http.response.start",
            "status": refused.status,
            "headers": response.raw_headers,
        }

    async def _events(self) -> AsyncIterator[bytes | Refused]:
        begun = False
        try:
            timeout = self._service.limits.timeout
            async for records in self._job.batches(self._deadline, timeout):
                begun = True
                yield b"".join(b"data: " + encoded(record) + b"\n\n" for record in records)
                # Sending need not wait for anything, and others, and a client's leaving, must be
                # seen to all the same.
                await asyncio.sleep(0)
        except Refused as refused:
            if not begun:
                yield refused
                return
            yield b"data: " + encoded(refused.body()) + b"\n\n"
            return
        yield b"data: [DONE]\n\n"


def _netloc(origin: str) -> str:
    """The host and port of an origin; nothing for ``null`` and what is none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()
