"""PyTorch's side of the store: named tensors in safetensors files that carry a checksum (`stitchlab.store`)."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch.nn.parameter import is_lazy

from stitchlab.errors import Damaged, StitchLabError
from stitchlab.store import Store, check_place, damaged, place
from stitchlab.store.checking import TYPES


def get_tensors(store: Store, room: str, key: str) -> dict[str, torch.Tensor] | None:
    """Read an entry's tensors onto the CPU, or None where there are none. Raises Damaged."""
    path = store.path(room, key, ".safetensors")
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            remarks = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise damaged(path) from error
    if remarks.get("sha256") != digest(tensors):
        raise damaged(path)
    check_place(path, remarks.get("place"))
    return tensors


def intact_tensors(store: Store, room: str, key: str) -> dict[str, torch.Tensor] | None:
    """As `get_tensors`, but None where they are damaged: for what can be computed again."""
    with contextlib.suppress(Damaged):
        return get_tensors(store, room, key)
    return None


def put_tensors(store: Store, room: str, key: str, tensors: Mapping[str, torch.Tensor]) -> None:
    """Keep named tensors; one that has several names is written under each.

    Raises StitchLabError where one of them is none that a file can hold, or the file cannot be written.
    """
    path, plain, seen = store.path(room, key, ".safetensors"), {}, set()
    for name, tensor in tensors.items():
        made = _plain(name, tensor)
        # safetensors refuses tensors that share memory, as tied weights do.
        plain[name] = made.clone() if made.untyped_storage().data_ptr() in seen else made
        seen.add(plain[name].untyped_storage().data_ptr())
    store.write(path, save(plain, metadata={"place": place(path), "sha256": digest(plain)}))


def digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """Compute the SHA-256 over names, types, shapes and bytes of tensors, in the order of their names."""
    sha = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        plain = _plain(name, tensor)
        sha.update(f"{name} {plain.dtype} {tuple(plain.shape)}\n".encode())
        sha.update(plain.reshape(-1).view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()


def _plain(name: str, tensor: Any) -> torch.Tensor:
    """A tensor on the CPU, its numbers one behind the other. Raises StitchLabError where no file can hold it."""
    if not isinstance(tensor, torch.Tensor):
        what = f"a {type(tensor).__name__}"
    elif is_lazy(tensor) or tensor.is_meta:
        what = "a tensor without numbers"
    elif tensor.layout != torch.strided or str(tensor.dtype).removeprefix("torch.") not in TYPES.values():
        what = f"a tensor of {tensor.layout}, {tensor.dtype}"
    else:
        plain: torch.Tensor = tensor.detach().cpu().contiguous()
        return plain
    raise StitchLabError(f"{name} cannot be kept: dense tensors of plain numbers were expected in a network's "
                         f"state_dict, and it is {what}; make it one, or leave it out of the state_dict")
