"""Builds networks of the user's own code: ``package.module:callable`` or ``FILE.py:callable``.

To name such a network is to run its code, so names are accepted on the command line and in Python, never from a page. A
network built this way records the file and its SHA-256, and is built again only from an unchanged file.
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
from typing import Any, Literal

from torch import nn

from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.models.zoo.base import Architecture
from stitchlab.results.networks import Code

#: The names under which callables take the values that are known when a network is built.
ARGUMENT_NAMES: dict[Literal["classes", "channels", "size"], tuple[str, ...]] = {
    "classes": ("classes", "num_classes", "n_classes", "num_labels"),
    "channels": ("channels", "in_channels", "in_chans"),
    "size": ("size", "image_size", "img_size"),
}


def architecture(name: str) -> Architecture:
    """Find the architecture that ``module:callable`` or ``FILE.py:callable`` builds.

    The callable receives those of classes, channels and size for which it has a parameter (`ARGUMENT_NAMES`); its other
    parameters need defaults. Raises UnknownName; StitchLabError where the module cannot be imported.
    """
    place, _, attribute = name.rpartition(":")
    module = _import(place)
    if not callable(make := getattr(module, attribute, None)):
        callables = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise UnknownName(f"class or function of {place}", attribute, callables)
    if not (source := getattr(module, "__file__", None)):
        raise StitchLabError(
            f"{place} is built into Python and has no file; give your own code as FILE.py:callable or "
            "module:callable, which returns a torch.nn.Module"
        )
    file = Path(source).resolve()
    code = Code(str(file), _sha256(file))
    return Architecture(
        name=f"{file.name}:{attribute}" if place.endswith(".py") else name,
        label=f"{attribute} of {file.name}",
        build=partial(_build, make),
        reference=str(file),
        optimiser="adamw",
        code=code,
    )


def unchanged_architecture(name: str, code: Code) -> Architecture:
    """Find the architecture of an existing network, in the file that it was built from.

    Raises StitchLabError where the file is missing or has changed; then its code is not run.
    """
    file = Path(code.file)
    place, _, attribute = name.rpartition(":")
    if not file.is_file():
        raise _changed(file, "is gone")
    if not place.endswith(".py") and place not in sys.modules and _file_of(place) != file:
        raise _changed(file, f"is not where {place} is now")
    if _sha256(file) != code.sha256:
        raise _changed(file, "is not what it was when this network was made")
    return architecture(f"{file}:{attribute}" if place.endswith(".py") else name)


def _changed(file: Path, problem: str) -> StitchLabError:
    return StitchLabError(f"{file} {problem}: restore it, or make the network again from the code as it is now")


def _file_of(module: str) -> Path | None:
    """Find the file that importing a module would run; its parent packages are imported."""
    try:
        spec = importlib.util.find_spec(module)
    except ImportError:
        return None
    return Path(spec.origin).resolve() if spec is not None and spec.origin else None


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _import(place: str) -> ModuleType:
    try:
        if not place.endswith(".py"):
            return importlib.import_module(place)
        file = Path(place).expanduser().resolve()
        if not file.is_file():
            raise StitchLabError(f"{file} is not a file; give your own code as FILE.py:callable or module:callable")
        module_name = f"stitchlab_own_{hashlib.sha256(str(file).encode() + file.read_bytes()).hexdigest()[:16]}"
        if module_name not in sys.modules:
            return _execute(module_name, file)
        return sys.modules[module_name]
    except StitchLabError:
        raise
    except (Exception, SystemExit) as error:  # the user's module may raise anything
        line = (str(error).splitlines() or [""])[0]
        raise StitchLabError(f"{place} could not be imported: {type(error).__name__}: {line}") from error


def _execute(module_name: str, file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(module_name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
    return module


def _build(make: Callable[..., Any], classes: int, channels: int, size: int) -> nn.Module:
    values = {"classes": classes, "channels": channels, "size": size}
    parameters = inspect.signature(make).parameters
    arguments = {name: values[value] for value, names in ARGUMENT_NAMES.items() for name in names if name in parameters}
    module = make(**arguments)
    if not isinstance(module, nn.Module):
        raise TypeError(f"it returned a {type(module).__name__}, not a torch.nn.Module")
    return module
