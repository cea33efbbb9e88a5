"""Reads weights from untrusted files: safetensors, or a torch state dict read with weights_only=True.

Nothing in a pickle is ever executed, and a file that is not a plain dictionary of tensors is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from stitchlab.errors import StitchLabError

STATE_DICT_KEYS = ("state_dict", "model")  # under which training scripts often save it
BATCH_COUNTER = "num_batches_tracked"  # of batch norm; has no effect on the outputs
DATA_PARALLEL_PREFIX = "module."  # which DataParallel puts before every name

Tensors = dict[str, torch.Tensor]


def read_weights(path: Path, called: str = "") -> Tensors:
    """Read the named tensors of a file onto the CPU; messages call the file ``called``.

    Raises StitchLabError where there is no such file, or it holds no state dict.
    """
    if not path.is_file():
        raise StitchLabError(f"{called or path} is not a file; expected weights as safetensors or a torch state dict")
    called = called or path.name
    content = _read(path, called)
    for key in STATE_DICT_KEYS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    mapping = isinstance(content, Mapping)
    if not mapping or not content or not all(isinstance(value, torch.Tensor) for value in content.values()):
        kind = "a dictionary of other things" if mapping else f"a {type(content).__name__}"
        raise StitchLabError(
            f"{called} holds {kind}, not a state dict (names and their tensors); "
            "save one with torch.save(network.state_dict(), PATH)"
        )
    strip = len(DATA_PARALLEL_PREFIX) if all(str(name).startswith(DATA_PARALLEL_PREFIX) for name in content) else 0
    return {str(name)[strip:]: tensor for name, tensor in content.items()}


def without(tensors: Tensors, unused: tuple[str, ...]) -> Tensors:
    """Drop the tensors whose names begin with one of ``unused``: auxiliary classifiers, which do not affect logits."""
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(unused)} if unused else tensors


def put_weights(module: nn.Module, tensors: Tensors, classes: int, arch: str, advice: Callable[[], str]) -> None:
    """Load tensors into a module.

    Args:
        module: is left unchanged where they do not fit.
        tensors: by name.
        classes: number of the module's outputs.
        arch: name of its architecture, for messages.
        advice: called where the tensors do not fit; returns a sentence that says what to do.

    Raises:
        StitchLabError: tensors are missing, unexpected or of another shape (they are listed), or tensors that are tied
            in the module differ in the file.
    """
    expected = module.state_dict()
    tensors = _with_tied(expected, tensors)
    # Old files have no batch counters, and the outputs do not depend on them.
    missing = [name for name in expected if name not in tensors and not name.endswith(BATCH_COUNTER)]
    unexpected = [name for name in tensors if name not in expected]
    misshapen = [name for name in expected if name in tensors and expected[name].shape != tensors[name].shape]
    if misshapen and not missing and not unexpected:
        outputs = _outputs(expected, tensors, misshapen, classes)
        if outputs:
            raise StitchLabError(
                f"expected weights with {classes} outputs, got {outputs}; choose the data they were trained on, or ask "
                f"for {outputs} (--classes {outputs}): the network then has classes of its own, and its accuracy is "
                "not defined"
            )
    shapes = [f"{name} {tuple(tensors[name].shape)} for {tuple(expected[name].shape)}" for name in misshapen]
    problems = [("missing", missing), ("unexpected", unexpected), ("of another shape", shapes)]
    if summary := "; ".join(f"{len(names)} {problem}: {_few(names)}" for problem, names in problems if names):
        raise StitchLabError(f"these weights do not fit {arch}: {summary}. {advice()}")
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


def _outputs(expected: Tensors, tensors: Tensors, misshapen: list[str], classes: int) -> int | None:
    """Find the file's number of outputs, if that is its only difference."""
    rows = {tensors[name].shape[0] for name in misshapen if tensors[name].dim()}
    only_rows = all(
        expected[name].shape[:1] == (classes,) and expected[name].shape[1:] == tensors[name].shape[1:]
        for name in misshapen
    )
    return rows.pop() if only_rows and len(rows) == 1 else None


def _with_tied(expected: Tensors, tensors: Tensors) -> Tensors:
    """Add tied tensors under all names that a module has for them; files often have only one of the names."""
    names: dict[tuple[int, torch.Size], list[str]] = {}
    for name, tensor in expected.items():
        if tensor.numel():
            names.setdefault((tensor.data_ptr(), tensor.shape), []).append(name)
    complete = dict(tensors)
    for tied in names.values():
        present = [name for name in tied if name in tensors]
        for name in present[1:]:
            if not torch.equal(tensors[name], tensors[present[0]]):
                raise StitchLabError(
                    f"{present[0]} and {name} are one tensor in this architecture, and two in these "
                    "weights; choose the architecture that they were trained with"
                )
        complete |= {name: tensors[present[0]] for name in tied if present}
    return complete


def _few(names: list[str]) -> str:
    return ", ".join(names[:4]) + (", …" if len(names) > 4 else "")
