"""``lmkit serve``: what it refuses before it begins. What it serves is tested in tests/serve."""

from __future__ import annotations

import importlib
import socket
import sys

import pytest

from lmkit.errors import LmkitError, UsageError
from lmkit.serving import server

from .support import refused


@pytest.mark.parametrize("package", ["starlette", "uvicorn"])
def test_a_missing_extra_is_one_line(run, small_model, monkeypatch, package):
    have = importlib.import_module

    def missing(name, *words):
        if name == package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return sys if name in ("starlette", "uvicorn") else have(name, *words)

    monkeypatch.setattr(server, "import_module", missing)
    refused(run("serve", small_model), package, "pip install 'lmkit[serve]'", status=1)


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(server, "require_packages", lambda: None)


def test_a_host_that_is_none(run, small_model, installed):
    result = run("serve", small_model, "--host", "no such host")
    refused(result, "there is no host 'no such host'", "--host 127.0.0.1", status=2)


def test_a_port_that_is_taken(run, small_model, installed):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("serve", small_model, "--port", str(taken.getsockname()[1]))
    refused(result, "in use", "--port 0", status=1)


def test_an_address_of_another_machine(run, small_model, installed):
    result = run("serve", small_model, "--host", "192.0.2.1", "--port", "0")
    refused(result, "cannot listen at 192.0.2.1 port 0", "--host 127.0.0.1", status=1)


@pytest.mark.parametrize("option", ["--max-queue=0", "--timeout=0", "--port=65536"])
def test_limits_that_are_none(run, small_model, option):
    refused(run("serve", small_model, option), option.partition("=")[0], status=2)


def test_a_file_that_is_no_model(run, small_text, installed):
    refused(run("serve", small_text), "not an lmkit model", status=1)


@pytest.mark.parametrize(
    "host, local, url",
    [
        ("127.0.0.1", True, "http://127.0.0.1:"),
        ("localhost", True, "http://localhost:"),
        ("::1", True, "http://[::1]:"),
        ("[::1]", True, "http://[::1]:"),
        ("0.0.0.0", False, "http://0.0.0.0:"),
    ],
)
def test_where_it_listens(host, local, url):
    try:
        listening = server.listen(host, 0)
    except LmkitError:
        if host == "::1":
            pytest.skip("no IPv6 here")
        raise
    with listening:
        assert server.is_loopback(listening) is local
        assert server.url_of(host, listening).startswith(url)
        assert not server.url_of(host, listening).endswith(":0")


def test_a_name_without_an_address_is_a_usage_error():
    with pytest.raises(UsageError):
        server.listen("a" * 70 + ".invalid", 0)


def test_others_that_can_reach_it_are_remarked_on(run, small_model, installed, monkeypatch):
    hosts = []

    def serve(model, name, listening, *, limits, hosts, ready, log, told=hosts):
        told.append(hosts)
        ready()

    monkeypatch.setattr(server, "serve", serve)
    open_to_all = run("serve", small_model, "--host", "0.0.0.0", "--port", "0")
    assert "no password" in open_to_all.err
    alone = run("serve", small_model, "--port", "0", "--allow-host", "My.Proxy")
    assert "password" not in alone.err
    assert alone.out.startswith("http://127.0.0.1:") and alone.out.count("\n") == 1
    assert hosts == [None, {"localhost", "127.0.0.1", "[::1]", "my.proxy"}]
