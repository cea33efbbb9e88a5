"""Call a worker's function by its name. Dask runs this, so only the worker must be able to import the function."""

from __future__ import annotations

import importlib
import logging
from typing import Any

from stitchlab.errors import StitchLabError, one_line


def run(name: str, *arguments: Any) -> Any:
    """Call the function of this name, ``module:function``, on a worker.

    Raises StitchLabError with one line, whatever the function raised. The process that asked could not unpickle other
    errors: those of torch where torch is not installed, `UnknownName` because it is not made from its text alone.
    """
    module, _, function = name.partition(":")
    try:
        return getattr(importlib.import_module(module), function)(*arguments)
    except StitchLabError as error:
        line = str(error)
    except Exception as error:
        logging.getLogger(__name__).exception("%s failed", name)
        line = one_line(error)
    raise StitchLabError(line)  # outside of `except`, or the first error would be sent along with this one


def answer(name: str, *arguments: Any) -> dict[str, Any]:
    """Call a function as `run` does, and return its ``value``, or the ``message`` of its failure."""
    try:
        return {"value": run(name, *arguments)}
    except StitchLabError as error:
        return {"message": str(error)}


def load(modules: list[str]) -> None:
    """Import modules in advance, so that the first task on this worker does not have to wait for that."""
    for module in modules:
        importlib.import_module(module)
