"""Records how a result was computed, as it is kept beside every one: versions, device, threads, time."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from typing import Any

import numpy
import scipy
import sklearn
import torch
import torchvision

from stitchlab.results.version import VERSION


def versions() -> dict[str, str]:
    """Give the versions of StitchLab and of what it computes with."""
    return {
        "stitchlab": VERSION,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
    }


def provenance(device: torch.device, seconds: float) -> dict[str, Any]:
    """Say how something was computed that took so many seconds on this device, and ended just now."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {
        "seconds": seconds,
        "device": f"{name} on {platform.node()}",
        "threads": torch.get_num_threads(),
        "computed": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
    }
