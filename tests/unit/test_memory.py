"""Freed memory is kept while it is wanted, and goes back afterwards."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from pathlib import Path

import pytest

from stitchlab.models import malloc as memory

GLIBC = sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim")

#: In a process of its own: a heap with a hole of 40 MB in it would take them without asking the system.
COUNT = """
import json, resource
import numpy as np
from stitchlab.models import malloc as memory

def faults():
    def write():
        np.empty(5_000_000).fill(1.0)
    write()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        write()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

outside = faults()
with memory.freed_memory_reused():
    inside = faults()
print(json.dumps([outside, inside, faults()]))
"""


@pytest.mark.skipif(not GLIBC, reason="only glibc gives memory back so eagerly")
def test_pages_are_mapped_once() -> None:
    made = subprocess.run(
        [sys.executable, "-c", COUNT], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    outside, inside, after = json.loads(made.stdout)
    assert outside > 100
    assert inside < outside / 5
    assert after > 100, "afterwards all is as it was"


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: pytest.fail("no library is looked for"))
    with memory.freed_memory_reused():
        pass
