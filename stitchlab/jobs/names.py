"""Name jobs: the same work has the same name, so that it is queued once and found again. A run's is its id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stitchlab.request import Detection, content_id
from stitchlab.results.detection import MethodCell
from stitchlab.results.run import Run

DEMO = "demo"  # the job that trains the demo's networks
MAKING = "making-"  # before the name of a network


def making(name: str) -> str:
    """Name the job that trains or imports the network of this name."""
    return f"{MAKING}{name}"


def measuring(network: str) -> str:
    """Name the job that measures the network of this id."""
    return f"measuring-{network}"


def fetching(data: str) -> str:
    """Name the job that downloads a data set."""
    return f"fetching-{content_id(data)[:16]}"


def preparing(wanted: Mapping[str, Any]) -> str:
    """Name the job that makes what a request needs (`Jobs.prepare`)."""
    return f"preparing-{content_id(dict(wanted))[:16]}"


def probing(wanted: Mapping[str, Any]) -> str:
    """Name the job that computes linear probes of a network (`stitchlab.results.probes.Probes.wanted`)."""
    return f"probing-{content_id(dict(wanted))[:16]}"


def checking(what: Mapping[str, Any]) -> str:
    """Name the job that checks measures on networks (`stitchlab.results.checks.suite.wanted`)."""
    return f"checking-{content_id(dict(what))[:16]}"


def detecting(run: Run, detection: Detection, cells: Sequence[MethodCell]) -> str:
    """Name the job that has detectors judge cells of a run.

    Args:
        run, detection: what is judged, and with which settings.
        cells: (method, front layer, end layer) each.
    """
    return f"{run.id}-ood-{content_id([detection, cells])[:16]}"


def following(run: Run, front_layer: str, end_layer: str) -> str:
    """Name the job that follows a cell through the epochs of its training.

    Args:
        run: the run.
        front_layer, end_layer: of the cell.
    """
    return f"{run.id}-walk-{content_id([front_layer, end_layer])[:16]}"
