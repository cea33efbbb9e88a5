"""Find the logits in whatever a classifier returns: a tensor, tuple, dictionary or object with ``logits``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stitchlab.errors import StitchLabError


def logits_of(output: Any) -> Any:
    """Return the logits (N, classes) in a network's output, or the proxy for them while the network is traced.

    They are the output itself, the ``logits`` of an object or dictionary, the only entry of a dictionary, or the first
    entry of a tuple or list. Raises StitchLabError for anything else.
    """
    if isinstance(output, Mapping):
        if "logits" in output or len(output) == 1:
            return logits_of(output["logits"] if "logits" in output else next(iter(output.values())))
    elif isinstance(output, tuple | list) and not hasattr(output, "logits"):
        if output:
            return logits_of(output[0])
    elif hasattr(output, "logits"):
        return output.logits
    elif output is not None and not isinstance(output, str | bytes | int | float):
        return output
    raise StitchLabError(
        f"expected a network that returns logits (N, classes), alone, first in a tuple, or named logits; got a "
        f"{type(output).__name__}"
    )
