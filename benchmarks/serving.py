"""Requests per second of ``lmkit serve``: clients that each ask for the score of one line.

    python benchmarks/serving.py MODEL TEXT [--clients 1 8 50] [--requests 2000]

The server runs in a process of its own; the clients share this one, each on a connection that
stays open. Of each number of clients: requests per second, the median and the 99th percentile of
the time that a client waits, CPU seconds and memory of the server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path


async def client(port: int, lines: list[str], waits: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for line in lines:
        body = json.dumps({"text": line}).encode()
        head = f"POST /score HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n"
        begun = time.perf_counter()
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), answer
        length = next(
            int(header.split(b":")[1])
            for header in answer.split(b"\r\n")
            if header.lower().startswith(b"content-length")
        )
        await reader.readexactly(length)
        waits.append(time.perf_counter() - begun)
    writer.close()


async def load(port: int, lines: list[str], clients: int) -> list[float]:
    waits: list[float] = []
    await asyncio.gather(*(client(port, lines[n::clients], waits) for n in range(clients)))
    return sorted(waits)


def spent(pid: int) -> tuple[float, float]:
    """CPU seconds and resident megabytes of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    return (int(fields[11]) + int(fields[12])) / ticks, int(fields[21]) * 4096 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("text")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 50])
    parser.add_argument("--requests", type=int, default=2000)
    asked = parser.parse_args()
    text = Path(asked.text).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip()]
    lines = (lines * (asked.requests // len(lines) + 1))[: asked.requests]
    command = [sys.executable, "-m", "lmkit", "serve", asked.model, "--port", "0", "--quiet"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    port = int(server.stdout.readline().rpartition(":")[2])
    try:
        asyncio.run(load(port, lines[:200], 1))
        print("clients  requests/s  median ms  99 % ms  CPU ms/request  memory MB")
        for clients in asked.clients:
            before, _ = spent(server.pid)
            begun = time.perf_counter()
            waits = asyncio.run(load(port, lines, clients))
            took = time.perf_counter() - begun
            after, memory = spent(server.pid)
            print(
                f"{clients:7}  {len(waits) / took:10.0f}  {waits[len(waits) // 2] * 1e3:9.2f}"
                f"  {waits[int(len(waits) * 0.99)] * 1e3:7.1f}"
                f"  {(after - before) / len(waits) * 1e3:14.2f}  {memory:9.1f}"
            )
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
