"""Connections on which nothing is asked: they are closed in time, as there is room for few.

uvicorn bounds the time between two requests of a connection, but not that before the first one, nor
that of the lines before a body.
"""

from __future__ import annotations

import asyncio
from typing import Any


def bounded(protocol: Any, seconds: float) -> Any:
    """``protocol``, a class of uvicorn's for HTTP, which closes a connection if no request has
    begun within ``seconds`` since it was made, or since the first byte of a later request."""

    class Bounded(protocol):  # type: ignore[misc, unused-ignore]
        _waiting: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            super().connection_lost(exc)

        def _watch(self) -> None:
            if self.cycle is not None and not self.cycle.response_complete:
                self._stop()
            elif self._waiting is None:
                self._waiting = self.loop.call_later(seconds, self.transport.close)

        def _stop(self) -> None:
            if self._waiting is not None:
                self._waiting.cancel()
                self._waiting = None

    return Bounded
