"""The names of jobs: the same work has the same name, so that it is queued once and found again. A run's is its id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stitchlab.request import Detection, content_id
from stitchlab.results.detection import Cell
from stitchlab.results.run import Run

DEMO = "demo"  # the job that trains the demo's networks
MAKING = "making-"  # before the name of a network


def making(name: str) -> str:
    """Name the job that makes the network of this name."""
    return f"{MAKING}{name}"


def measuring(network: str) -> str:
    """Name the job that measures a network, by its id."""
    return f"measuring-{network}"


def fetching(data: str) -> str:
    """Name the job that gets a data set."""
    return f"fetching-{content_id(data)[:16]}"


def preparing(wanted: Mapping[str, Any]) -> str:
    """Name the job that makes what a request needs (`Jobs.prepare`)."""
    return f"preparing-{content_id(dict(wanted))[:16]}"


def probing(wanted: Mapping[str, Any]) -> str:
    """Name the job that computes linear probes of a network (`stitchlab.results.probes.Probes.wanted`)."""
    return f"probing-{content_id(dict(wanted))[:16]}"


def judging(run: Run, detection: Detection, cells: Sequence[Cell]) -> str:
    """Name the job that has detectors look at these cells."""
    return f"{run.id}-ood-{content_id([detection, cells])[:16]}"


def walking(run: Run, front_layer: str, end_layer: str) -> str:
    """Name the job that follows a cell's epochs."""
    return f"{run.id}-walk-{content_id([front_layer, end_layer])[:16]}"
