"""Processes in which importing what computes fails, as where it is not installed: for tests of the reading wing."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path

COMPUTES = ("torch", "torchvision", "scipy", "sklearn")
HOUSE = Path(__file__).resolve().parents[1]


class Finder(MetaPathFinder):
    """Finds none of `COMPUTES`, nor what is in them, and keeps others from finding it."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] in COMPUTES:
            raise ModuleNotFoundError(f"No module named {name!r}: it is blocked", name=name)


def block() -> None:
    """Let every later import of what computes fail in this process, which has imported none of it."""
    there = sorted(name for name in sys.modules if name.partition(".")[0] in COMPUTES)
    assert not there, there
    sys.meta_path.insert(0, Finder())


def python(code: str, *arguments: str, blocked: bool = True, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, with these arguments in ``sys.argv[1:]``, where what computes is ``blocked``.

    Modules of the project and of tests/ can be imported; ``settings`` are environment variables.
    """
    places = f"{HOUSE}{os.pathsep}{HOUSE / 'tests'}"
    environment = os.environ | {"PYTHONPATH": places, **settings}
    start = "import blocked\nblocked.block()\n" if blocked else ""
    return subprocess.run(
        [sys.executable, "-c", start + code, *arguments], text=True, capture_output=True, env=environment, cwd=HOUSE
    )
