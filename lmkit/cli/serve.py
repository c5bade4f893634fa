"""``lmkit serve``: a model behind HTTP."""

from __future__ import annotations

from pathlib import Path

import click

from lmkit.cli.command import command
from lmkit.cli.console import Console, pass_console
from lmkit.cli.headings import heading
from lmkit.cli.options import MemorySize, model_argument


@command()
@model_argument
@click.option("--host", default="127.0.0.1", metavar="HOST", help="The address to listen at.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    metavar="PORT",
    help="The port to listen at; 0 takes a free one.",
)
@click.option(
    "--allow-host",
    multiple=True,
    metavar="NAME",
    help="A name that requests may be for, such as that of a proxy; may be given again."
    "  [default: that of HOST; any if HOST is not loopback]",
)
@heading(
    "Limits",
    click.option(
        "--max-queue",
        type=click.IntRange(min=1),
        default=64,
        metavar="N",
        help="Requests that wait or are worked on; a further one is refused with 503.",
    ),
    click.option(
        "--max-request-bytes",
        type=MemorySize(),
        default="1M",
        metavar="SIZE",
        help="The largest request.",
    ),
    click.option(
        "--max-tokens",
        type=click.IntRange(min=1),
        default=4096,
        metavar="N",
        help="The most tokens of a prompt, of a line to score, and of all samples of a request.",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True, max=86_400),
        default=60.0,
        metavar="SECONDS",
        help="The longest time for a request, its way here and back included.",
    ),
)
@pass_console
def serve(
    console: Console,
    model: Path,
    host: str,
    port: int,
    allow_host: tuple[str, ...],
    max_queue: int,
    max_request_bytes: int,
    max_tokens: int,
    timeout: float,
) -> None:
    """Answer requests over HTTP with a model.

    The paths are /score, /next, /generate, /correct and OpenAI's /v1/completions, for
    POST requests with JSON; the page /docs shows them all. The URL is printed when the
    server is ready. Each request is a line on standard error, without its text.

    Only this machine is answered unless --host says otherwise. There is no password and
    no encryption: put a proxy with both in front if others are to reach it.

    SIGTERM and Ctrl-C end it: running requests are answered first, streams end. The
    second one ends it at once. Needs the extra serve: pip install 'lmkit[serve]'.

    Example:

        lmkit serve model.lm --port 8000
    """
    from lmkit.serving.server import is_loopback, listen, require_packages, url_of
    from lmkit.serving.server import serve as run

    require_packages()
    from lmkit.api import load
    from lmkit.serving.limits import Limits

    opened = load(model)
    with listen(host, port) as listening:
        local = is_loopback(listening)
        hosts = frozenset(map(str.lower, allow_host))
        if local:
            hosts |= {"localhost", "127.0.0.1", "[::1]", host.lower()}
        else:
            console.remark(
                f"note: whoever reaches {host} may use the model: there is no password."
                " Try: a proxy in front of --host 127.0.0.1."
            )

        def ready() -> None:
            console.write_line(url_of(host, listening))
            console.flush()

        run(
            opened,
            model.name,
            listening,
            limits=Limits(max_queue, max_request_bytes, max_tokens, timeout),
            hosts=hosts if local or allow_host else None,
            ready=ready,
            log=console.remark,
        )
    console.remark("stopped")
