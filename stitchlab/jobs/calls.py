"""Call a worker's function by its name, which only the worker has to be able to import: this is what Dask runs."""

from __future__ import annotations

import importlib
import logging
from typing import Any

from stitchlab.errors import StitchLabError


def run(name: str, *arguments: Any) -> Any:
    """Call the function of this name, ``module:function``, on a worker.

    Raises StitchLabError with one line, whatever the function raised: an error of torch's own could not be read where
    there is no torch, and `UnknownName` is not made of its text alone.
    """
    module, _, function = name.partition(":")
    try:
        return getattr(importlib.import_module(module), function)(*arguments)
    except StitchLabError as error:
        line = str(error)
    except Exception as error:
        logging.getLogger(__name__).exception("%s failed", name)
        line = one_line(error)
    raise StitchLabError(line)  # here, where no other error is being handled: that one would be sent along


def answer(name: str, *arguments: Any) -> dict[str, Any]:
    """Call a function as `run` does, and return its ``value``, or the ``message`` of its failure."""
    try:
        return {"value": run(name, *arguments)}
    except StitchLabError as error:
        return {"message": str(error)}


def load(modules: list[str]) -> None:
    """Import modules in advance, so that the first task on this worker need not wait for that."""
    for module in modules:
        importlib.import_module(module)


def one_line(error: BaseException) -> str:
    """Write an error as one line, with its type unless it is StitchLab's own."""
    line = (str(error).splitlines() or [""])[0]
    return line if isinstance(error, StitchLabError) else f"{type(error).__name__}: {line}"
