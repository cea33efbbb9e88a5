"""Builds networks of the user's own code: ``package.module:callable`` or ``FILE.py:callable``.

Naming one runs it, so it is taken from the command line and from Python only, never from a page. A network that was
made so keeps the file and its SHA-256: it is built again only from the very same file.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.models.zoo.base import Architecture
from stitchlab.results.networks import Code

#: What is known when a network is built, and what callables like to call it.
ARGUMENTS = {
    "classes": ("classes", "num_classes", "n_classes", "num_labels"),
    "channels": ("channels", "in_channels", "in_chans"),
    "size": ("size", "image_size", "img_size"),
}


def architecture(name: str) -> Architecture:
    """Find the architecture that ``module:callable`` or ``FILE.py:callable`` builds.

    The callable is given what it names of classes, channels and size (`ARGUMENTS`); whatever else it takes must have a
    default. Raises StitchLabError where it is not there, or importing it fails.
    """
    place, _, attribute = name.rpartition(":")
    module = _imported(place)
    if not callable(make := getattr(module, attribute, None)):
        there = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise UnknownName(f"class or function of {place}", attribute, there)
    if not (source := getattr(module, "__file__", None)):
        raise StitchLabError(
            f"{place} is built into Python and has no file; give your own code as FILE.py:callable or "
            "module:callable, which returns a torch.nn.Module"
        )
    file = Path(source).resolve()
    code = Code(str(file), _sha256(file))
    called = f"{file.name}:{attribute}" if place.endswith(".py") else name
    return Architecture(
        name=called,
        label=f"{attribute} of {file.name}",
        build=partial(_build, make),
        reference=str(file),
        optimiser="adamw",
        code=code,
    )


def again(name: str, code: Code) -> Architecture:
    """Find the architecture of a network that is there, from the very file that it was made with.

    Raises StitchLabError where the file is gone or another by now; then nothing of it is run.
    """
    file = Path(code.file)
    place, _, attribute = name.rpartition(":")
    if not file.is_file():
        raise _changed(file, "is gone")
    if not place.endswith(".py") and place not in sys.modules and _found(place) != file:
        raise _changed(file, f"is not where {place} is now")
    if _sha256(file) != code.sha256:
        raise _changed(file, "is not what it was when this network was made")
    return architecture(f"{file}:{attribute}" if place.endswith(".py") else name)


def _changed(file: Path, what: str) -> StitchLabError:
    return StitchLabError(f"{file} {what}: restore it, or make the network again from the code as it is now")


def _found(module: str) -> Path | None:
    """Find the file that importing a module would run; packages around it are imported."""
    try:
        spec = importlib.util.find_spec(module)
    except ImportError:
        return None
    return Path(spec.origin).resolve() if spec is not None and spec.origin else None


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _imported(place: str) -> ModuleType:
    try:
        if not place.endswith(".py"):
            return importlib.import_module(place)
        file = Path(place).expanduser().resolve()
        if not file.is_file():
            raise StitchLabError(f"{file} is not a file; give your own code as FILE.py:callable or module:callable")
        called = f"stitchlab_own_{hashlib.sha256(str(file).encode() + file.read_bytes()).hexdigest()[:16]}"
        if called not in sys.modules:
            return _executed(called, file)
        return sys.modules[called]
    except StitchLabError:
        raise
    except (Exception, SystemExit) as error:  # whatever the user's module does when it is imported
        line = (str(error).splitlines() or [""])[0]
        raise StitchLabError(f"{place} could not be imported: {type(error).__name__}: {line}") from error


def _executed(called: str, file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(called, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[called] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[called]
        raise
    return module


def _build(make: Callable[..., Any], classes: int, channels: int, size: int) -> nn.Module:
    known = {"classes": classes, "channels": channels, "size": size}
    takes = inspect.signature(make).parameters
    given = {called: known[what] for what, calls in ARGUMENTS.items() for called in calls if called in takes}
    module = make(**given)
    if not isinstance(module, nn.Module):
        raise TypeError(f"it returned a {type(module).__name__}, not a torch.nn.Module")
    return module
