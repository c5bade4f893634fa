"""Every way to say no: a status, and the body that clients of OpenAI's interface read."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

from lmkit.errors import LmkitError, UnsupportedError

RETRY_AFTER = 1
"""Seconds after which a client may ask again if there was no place for it."""


class Refused(Exception):
    """A request that is answered with an error. ``param`` is the field that is wrong."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str,
        param: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        """The error in OpenAI's shape."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        return {"error": error}


def invalid(message: str, param: str | None = None, code: str = "invalid_value") -> Refused:
    """A request that cannot be understood, or asks for what cannot be done."""
    return Refused(400, message, code=code, param=param)


def unavailable(message: str, code: str) -> Refused:
    """A request that may have more luck later."""
    return Refused(503, message, code=code, headers={"retry-after": str(RETRY_AFTER)})


def full() -> Refused:
    """No place in the queue."""
    return unavailable("the queue is full, try again soon", "queue_full")


def stopping() -> Refused:
    """The server is about to end."""
    return unavailable("the server is stopping", "stopping")


def timed_out(seconds: float) -> Refused:
    """The request took too long."""
    return Refused(504, f"the request took more than {seconds:g} seconds", code="timeout")


def of_error(error: BaseException) -> Refused:
    """What a client is told of ``error``: of lmkit's own, what they say; of others, nothing that
    could quote another client's text."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, LmkitError):
        code = "unsupported" if isinstance(error, UnsupportedError) else "invalid_value"
        return invalid(error.message, code=code)
    return Refused(500, "an unexpected error, which the server has logged", code="internal")


def place_of(error: BaseException) -> str:
    """What the log says of an unexpected error: its kind and its place. Its message could quote
    a user's text."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"unexpected {type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
