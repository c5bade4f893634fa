"""How much one request, and all of them together, may ask for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """``queue``: requests that wait or are worked on; a further one is refused with 503.
    ``request_bytes``: of a request's body. ``tokens``: of a prompt, of a line to score, and of
    all that one request may draw. ``timeout``: seconds for one request, from its first byte to
    the last one of the answer."""

    queue: int = 64
    request_bytes: int = 1 << 20
    tokens: int = 4096
    timeout: float = 60.0

    @property
    def connections(self) -> int:
        """How many clients may be connected: more than may wait for an answer, as those that
        send or read slowly hold no place in the queue."""
        return max(256, 4 * self.queue)
