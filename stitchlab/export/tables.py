"""Writes a run's numbers into a folder: cells.csv and run.json."""

from __future__ import annotations

from pathlib import Path

from stitchlab.results.run import Run
from stitchlab.results.tables import cells_csv, ood_csv, run_json

__all__ = ["cells_csv", "ood_csv", "run_json", "write"]


def write(run: Run, directory: Path) -> None:
    """Write cells.csv and run.json into a folder, which is created; each file completely or not at all.

    Raises StitchLabError if the folder cannot be written.
    """
    for name, text in (("cells.csv", cells_csv(run)), ("run.json", run_json(run))):
        run.store.write(directory / name, text.encode())
