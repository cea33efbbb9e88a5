"""Freed memory is kept while it is wanted, and goes back afterwards."""

from __future__ import annotations

import ctypes
import resource
import sys

import pytest
import torch

from stitchlab import memory

GLIBC = sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim")


def faults(times: int = 10) -> int:
    """Pages that were mapped while 40 MB were written so many times."""
    def write() -> None:
        torch.zeros(10_000_000).add_(1)

    write()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        write()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(not GLIBC, reason="only glibc gives memory back so eagerly")
def test_pages_are_mapped_once() -> None:
    outside = faults()
    with memory.kept():
        inside = faults()
    assert outside > 100
    assert inside < outside / 5
    assert faults() > 100, "afterwards all is as it was"


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with memory.kept():
        assert int(torch.ones(3).sum()) == 3
