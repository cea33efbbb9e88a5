"""No test uses a network: connecting to another machine fails a test, also where what is tested would make do.

Processes that tests start are told of a proxy where nobody listens, which is what a machine without a network is like.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest

NOWHERE = ("127.0.0.1", 9)  # the proxy; asking it is asking for a network


def guard(patch: pytest.MonkeyPatch) -> None:
    """Let every connection to another machine fail, until ``patch`` is undone."""
    for name in ("connect", "connect_ex"):
        patch.setattr(socket.socket, name, _checked(getattr(socket.socket, name)))
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **named: Any) -> Any:
        if not (_here(host) or _address(host)):
            refuse(host)
        return resolve(host, *rest, **named)

    patch.setattr(socket, "getaddrinfo", getaddrinfo)
    for name in ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy"):
        for called in (name, name.upper()):
            patch.setenv(called, "http://{}:{}".format(*NOWHERE))
    for called in ("no_proxy", "NO_PROXY"):
        patch.setenv(called, "localhost,127.0.0.1,::1")


def refuse(where: Any) -> None:
    """Fail the test, by what no ``except Exception`` stops."""
    pytest.fail(f"no test uses a network, and this one turned to {where}: give it made files, or a stand-in")


def _checked(connect: Any) -> Any:
    def checked(self: socket.socket, address: Any) -> Any:
        # A datagram socket that is connected has sent nothing: so libraries find out their own address.
        if (
            isinstance(address, tuple)
            and self.type != socket.SOCK_DGRAM
            and (not _here(address[0]) or address[:2] == NOWHERE)
        ):
            self.close()
            refuse(f"{address[0]}:{address[1]}")
        return connect(self, address)

    return checked


def _here(host: Any) -> bool:
    """Whether a host, by name or address, is this machine."""
    name = host.decode() if isinstance(host, bytes) else host
    found = _address(name)
    return found.is_loopback or found.is_unspecified if found else name in (None, "", "localhost", socket.gethostname())


def _address(host: Any) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return None
