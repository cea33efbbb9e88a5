"""Name jobs: the same work always has the same name, so it is queued once. The job of a run has the run's id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stitchlab.request import Detection, content_id
from stitchlab.results.detection import MethodCell
from stitchlab.results.run import Run

DEMO = "demo"  # the job that trains the demo's networks
NETWORK_JOB_PREFIX = "making-"


def network_job(network: str) -> str:
    """Name the job that trains or imports the network of this name."""
    return f"{NETWORK_JOB_PREFIX}{network}"


def measurement_job(network: str) -> str:
    """Name the job that measures the network of this id."""
    return f"measuring-{network}"


def download_job(data: str) -> str:
    """Name the job that downloads a data set."""
    return f"fetching-{content_id(data)[:16]}"


def preparation_job(arguments: Mapping[str, Any]) -> str:
    """Name the job that makes what a request needs (`Jobs.prepare`)."""
    return f"preparing-{content_id(dict(arguments))[:16]}"


def probes_job(arguments: Mapping[str, Any]) -> str:
    """Name the job that computes linear probes of a network (`stitchlab.results.probes.Probes.wanted`)."""
    return f"probing-{content_id(dict(arguments))[:16]}"


def checks_job(suite: Mapping[str, Any]) -> str:
    """Name the job that checks measures on networks (`stitchlab.results.checks.suite.wanted`)."""
    return f"checking-{content_id(dict(suite))[:16]}"


def detection_job(run: Run, detection: Detection, cells: Sequence[MethodCell]) -> str:
    """Name the job that runs detectors on cells of a run.

    Args:
        run: whose stitched activations they judge.
        detection: the settings of the detectors.
        cells: (method, front layer, end layer) each.
    """
    return f"{run.id}-ood-{content_id([detection, cells])[:16]}"


def trajectory_job(run: Run, front_layer: str, end_layer: str) -> str:
    """Name the job that computes a cell's trajectory.

    Args:
        run: the run.
        front_layer, end_layer: of the cell.
    """
    return f"{run.id}-walk-{content_id([front_layer, end_layer])[:16]}"
