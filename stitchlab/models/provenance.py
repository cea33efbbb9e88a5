"""Records how a result was computed: versions, device, threads and time, which are kept with every result."""

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
    """Return the versions of StitchLab and of the libraries that it computes with."""
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
    """Describe a computation on this device that took ``seconds`` and has just ended."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {
        "seconds": seconds,
        "device": f"{name} on {platform.node()}",
        "threads": torch.get_num_threads(),
        "computed": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
    }
