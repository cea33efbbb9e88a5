"""The guard that no test uses a network: other machines are refused, this one is not."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from stitchlab.data import registry as data
from stitchlab.store import Store

ELSEWHERE = "192.0.2.1"  # of the addresses for documentation, where nobody is (RFC 5737)

WAYS: dict[str, Callable[[], object]] = {
    "a connection": lambda: socket.create_connection((ELSEWHERE, 80), timeout=1),
    "a connection that returns its error": lambda: socket.socket().connect_ex((ELSEWHERE, 80)),
    "a name": lambda: socket.getaddrinfo("www.example.org", 443),
    "a page": lambda: urllib.request.urlopen("https://www.example.org"),
}


@pytest.mark.parametrize("way", WAYS)
def test_another_machine_is_refused_by_what_nobody_catches(way: str) -> None:
    with pytest.raises(pytest.fail.Exception, match="no test uses a network"), contextlib.suppress(Exception):
        WAYS[way]()


def test_code_that_makes_do_without_a_network_is_found_out(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="no test uses a network"):
        data.load("cifar10", Store(tmp_path), download=True)


def test_this_machine_is_not_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        threading.Thread(target=lambda: server.accept()[0].close()).start()
        with socket.create_connection(("localhost", port)) as there:
            assert there.recv(1) == b""
    one, other = socket.socketpair()
    with one, other:
        one.sendall(b"x")
        assert other.recv(1) == b"x"


def test_other_processes_find_no_network() -> None:
    code = "import urllib.request as r\ntry: r.urlopen('http://192.0.2.1')\nexcept OSError as e: print(e)"
    done = subprocess.run([sys.executable, "-c", code], env=os.environ, text=True, capture_output=True, timeout=60)
    assert "refused" in done.stdout
