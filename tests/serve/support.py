"""Asking a service without a network: the application is called as a server calls it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from lmkit.serving.app import App
from lmkit.serving.service import Service


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def record(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        """The records of a stream, without its end."""
        events = [part.removeprefix("data: ") for part in self.body.decode().split("\n\n") if part]
        assert events.pop() == "[DONE]"
        return [json.loads(event) for event in events]


def scope_of(method: str, path: str, headers: Iterable[tuple[str, str]] = ()) -> dict[str, Any]:
    named = {"host": "localhost", **dict(headers)}
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }


class Conversation:
    """One request: what the application reads, and what it has sent so far."""

    def __init__(self, app: App, method: str, path: str, body: Any = None, **named: str) -> None:
        self.app = app
        self.scope = scope_of(method, path, named.items())
        data = body if isinstance(body, bytes) else b"" if body is None else _json(body)
        self.incoming: asyncio.Queue[Any] = asyncio.Queue()
        self.incoming.put_nowait({"type": "http.request", "body": data, "more_body": False})
        self.sent: list[Any] = []
        self.began = asyncio.Event()
        self.reads = asyncio.Event()
        """Whether the client takes what is sent."""
        self.reads.set()

    async def run(self) -> Answer:
        await self.app(self.scope, self.incoming.get, self._send)
        return self.answer()

    def leave(self) -> None:
        """The client goes away."""
        self.incoming.put_nowait({"type": "http.disconnect"})

    async def _send(self, message: Any) -> None:
        self.sent.append(message)
        self.began.set()
        await self.reads.wait()

    def answer(self) -> Answer:
        start, *parts = self.sent
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], headers, b"".join(part["body"] for part in parts))


def _json(body: Any) -> bytes:
    return json.dumps(body).encode()


class Asking:
    """A service, asked one request after the other."""

    def __init__(self, service: Service, **options: Any) -> None:
        self.service = service
        self.lines: list[str] = []
        self.app = App(service, log=self.lines.append, **options)

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        async def run() -> Answer:
            return await Conversation(self.app, method, path, body, **headers).run()

        return asyncio.run(run())

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        return self("POST", path, body, **headers)

    def told(self, path: str, body: Any) -> Any:
        """The record of an answer that has to be one."""
        answer = self.post(path, body)
        assert answer.status == 200, answer.body
        return answer.record

    def talk(self, path: str, body: Any, **headers: str) -> Conversation:
        """A conversation, within a running loop."""
        return Conversation(self.app, "POST", path, body, **headers)


Served = Callable[..., Asking]
