"""Keeps freed memory for reuse: on a CPU, a training step can spend much time on allocating the same memory again.

glibc returns large blocks to the system as soon as they are freed, and every step allocates the same blocks again. The
system then clears and maps each page once more. benchmarks/README.md has the gain. Without glibc nothing is done.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Parameters of mallopt(3):
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_MAX_REUSED_BLOCK_BYTES = 2**30
_MAX_REUSED_TOTAL_BYTES = 2**31 - 1
# The thresholds that glibc reaches by itself in a process that frees large blocks:
_USUAL_MMAP_THRESHOLD_BYTES = 2**25
_USUAL_TRIM_THRESHOLD_BYTES = 2**26


@contextmanager
def freed_memory_reused() -> Iterator[None]:
    """Reuse the memory that is freed inside the block, and return it to the system at the end."""
    glibc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if glibc is None or not hasattr(glibc, "malloc_trim"):
        yield
        return
    glibc.mallopt(_M_MMAP_THRESHOLD, _MAX_REUSED_BLOCK_BYTES)
    glibc.mallopt(_M_TRIM_THRESHOLD, _MAX_REUSED_TOTAL_BYTES)
    try:
        yield
    finally:
        glibc.mallopt(_M_MMAP_THRESHOLD, _USUAL_MMAP_THRESHOLD_BYTES)
        glibc.mallopt(_M_TRIM_THRESHOLD, _USUAL_TRIM_THRESHOLD_BYTES)
        glibc.malloc_trim(0)
