"""Keeps freed memory for reuse: on a CPU, much of a step can go into asking the system for the same pages again.

glibc returns large blocks to the system as soon as they are free, and every step allocates the same ones anew; each
page is then cleared and mapped again on first touch. Measured in benchmarks/README.md. Elsewhere nothing is done.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # parameters of mallopt(3)
_LARGEST, _ALL = 2**30, 2**31 - 1  # bytes of the largest block that is kept, and of all that may be
_USUAL = 2**25, 2**26  # what glibc itself comes to in a process that frees large blocks


@contextmanager
def kept() -> Iterator[None]:
    """Reuse the memory that is freed within, and give it back to the system at the end."""
    glibc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if glibc is None or not hasattr(glibc, "malloc_trim"):
        yield
        return
    glibc.mallopt(_MMAP_THRESHOLD, _LARGEST)
    glibc.mallopt(_TRIM_THRESHOLD, _ALL)
    try:
        yield
    finally:
        glibc.mallopt(_MMAP_THRESHOLD, _USUAL[0])
        glibc.mallopt(_TRIM_THRESHOLD, _USUAL[1])
        glibc.malloc_trim(0)
