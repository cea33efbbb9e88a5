"""Reads weights from other people's files: safetensors, or a torch state dict read with weights_only=True.

Nothing in a pickle is ever executed: what is no plain dictionary of tensors is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from stitchlab.errors import StitchLabError

WRAPPERS = ("state_dict", "model")  # keys under which training scripts like to put it
COUNTERS = "num_batches_tracked"  # of batch norm: they decide nothing
PREFIX = "module."  # what DataParallel leaves before every name

Tensors = dict[str, torch.Tensor]


def read_weights(path: Path, called: str = "") -> Tensors:
    """Read the named tensors of a file onto the CPU, wherever they were saved from; messages name it as ``called``.

    Raises StitchLabError where there is no such file, or it is no state dict.
    """
    if not path.is_file():
        raise StitchLabError(f"{called or path} is not a file; expected weights as safetensors or a torch state dict")
    called = called or path.name
    found = _read(path, called)
    for key in WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
    if not isinstance(found, Mapping) or not found or not all(isinstance(v, torch.Tensor) for v in found.values()):
        what = f"a {type(found).__name__}" if not isinstance(found, Mapping) else "a dictionary of other things"
        raise StitchLabError(
            f"{called} holds {what}, not a state dict (names and their tensors); "
            "save one with torch.save(network.state_dict(), PATH)"
        )
    strip = len(PREFIX) if all(str(name).startswith(PREFIX) for name in found) else 0
    return {str(name)[strip:]: tensor for name, tensor in found.items()}


def used(tensors: Tensors, unused: tuple[str, ...]) -> Tensors:
    """Drop the tensors whose names begin so: auxiliary classifiers, which play no part in the logits."""
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(unused)} if unused else tensors


def put_weights(module: nn.Module, tensors: Tensors, classes: int, arch: str, advice: Callable[[], str]) -> None:
    """Load tensors into a module.

    Args:
        module: is untouched where they do not fit.
        tensors: by name.
        classes: how many outputs it has.
        arch: what to call its architecture in messages.
        advice: gives a sentence that says what to do; called only where they do not fit.

    Raises:
        StitchLabError: some are missing, unexpected or of another shape (they are listed), or one tensor has different
            numbers under its several names.
    """
    ours = module.state_dict()
    tensors = _tied(ours, tensors)
    # Batch norm's counters are absent from old files and decide nothing.
    missing = [name for name in ours if name not in tensors and not name.endswith(COUNTERS)]
    unexpected = [name for name in tensors if name not in ours]
    wrong = [name for name in ours if name in tensors and ours[name].shape != tensors[name].shape]
    if wrong and not missing and not unexpected and (came := _outputs(ours, tensors, wrong, classes)):
        raise StitchLabError(
            f"expected weights with {classes} outputs, got {came}; choose the data they were trained on, or ask for "
            f"{came} (--classes {came}): the network then has classes of its own, and its accuracy is not defined"
        )
    shapes = [f"{name} {tuple(tensors[name].shape)} for {tuple(ours[name].shape)}" for name in wrong]
    parts = [("missing", missing), ("unexpected", unexpected), ("of another shape", shapes)]
    if told := "; ".join(f"{len(names)} {what}: {_few(names)}" for what, names in parts if names):
        raise StitchLabError(f"these weights do not fit {arch}: {told}. {advice()}")
    module.load_state_dict(tensors, strict=False)


def _read(path: Path, called: str) -> Any:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken pickle may raise anything
        raise StitchLabError(
            f"{called} could not be read as a state dict ({type(error).__name__}) and nothing in it was executed; "
            "expected safetensors, or what torch.save(network.state_dict(), PATH) writes"
        ) from error


def _outputs(ours: Tensors, theirs: Tensors, wrong: list[str], classes: int) -> int | None:
    """Find the file's number of outputs, if that is all that is wrong with it."""
    came = {theirs[name].shape[0] for name in wrong if theirs[name].dim()}
    only_rows = all(
        ours[name].shape[:1] == (classes,) and ours[name].shape[1:] == theirs[name].shape[1:] for name in wrong
    )
    return came.pop() if only_rows and len(came) == 1 else None


def _tied(ours: Tensors, theirs: Tensors) -> Tensors:
    """Put the tensors under every name that a module has for them; files like to leave all but one out."""
    names: dict[tuple[int, torch.Size], list[str]] = {}
    for name, tensor in ours.items():
        if tensor.numel():
            names.setdefault((tensor.data_ptr(), tensor.shape), []).append(name)
    made = dict(theirs)
    for group in names.values():
        there = [name for name in group if name in theirs]
        for name in there[1:]:
            if not torch.equal(theirs[name], theirs[there[0]]):
                raise StitchLabError(
                    f"{there[0]} and {name} are one tensor in this architecture, and two in these "
                    "weights; choose the architecture that they were trained with"
                )
        made |= {name: theirs[there[0]] for name in group if there}
    return made


def _few(names: list[str]) -> str:
    return ", ".join(names[:4]) + (", …" if len(names) > 4 else "")
