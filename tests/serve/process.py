"""``lmkit serve`` in a process of its own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Server:
    """``lmkit serve`` in a process of its own."""

    def __init__(self, model: Path, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lmkit", "serve", str(model), "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("http://127.0.0.1:"), self.end()
        self.port = int(self.url.rpartition(":")[2])

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def begin(self, path: str, body: object) -> http.client.HTTPConnection:
        connection = self.connect()
        connection.request("POST", path, json.dumps(body))
        return connection

    def ask(self, path: str, body: object) -> tuple[int, object]:
        connection = self.begin(path, body)
        response = connection.getresponse()
        found = response.status, json.loads(response.read())
        connection.close()
        return found

    def ask_health(self) -> int:
        """How many requests wait or are worked on."""
        connection = self.connect()
        connection.request("GET", "/health")
        load: int = json.loads(connection.getresponse().read())["queue"]
        connection.close()
        return load

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send the signal; the exit status, and what was said."""
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said

    @property
    def resident(self) -> int:
        """Bytes of memory."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


class Stream:
    """A stream that has begun."""

    def __init__(self, server: Server, body: object) -> None:
        self.connection = server.begin("/v1/completions", body)
        self.response = self.connection.getresponse()
        assert self.response.read(10)

    def close(self) -> None:
        self.response.close()
        self.connection.close()
