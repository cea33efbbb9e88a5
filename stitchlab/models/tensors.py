"""Reads and writes named tensors in the store: safetensors files that carry a checksum (`stitchlab.store`)."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch.nn.parameter import is_lazy

from stitchlab.errors import Damaged, StitchLabError
from stitchlab.store import Store, check_place, damaged, place
from stitchlab.store.checking import TORCH_TYPES


def get_tensors(store: Store, room: str, key: str) -> dict[str, torch.Tensor] | None:
    """Read an entry's tensors onto the CPU.

    Args:
        store: where it is kept.
        room, key: of the entry.

    Returns:
        the tensors by name; None where there is no such entry.

    Raises:
        Damaged: they do not match their checksum.
    """
    path = store.path(room, key, ".safetensors")
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise damaged(path) from error
    if metadata.get("sha256") != digest(tensors):
        raise damaged(path)
    check_place(path, metadata.get("place"))
    return tensors


def intact_tensors(store: Store, room: str, key: str) -> dict[str, torch.Tensor] | None:
    """Read an entry's tensors as `get_tensors` does; return None where they are damaged.

    Args:
        store: where it is kept.
        room, key: of the entry.
    """
    with contextlib.suppress(Damaged):
        return get_tensors(store, room, key)
    return None


def put_tensors(store: Store, room: str, key: str, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write named tensors; a tensor with several names is written under each of them.

    Args:
        store: where to keep them.
        room, key: of the entry.
        tensors: by name, on any device.

    Raises:
        StitchLabError: a file cannot hold one of them, or the file cannot be written.
    """
    path, contents, storages = store.path(room, key, ".safetensors"), {}, set()
    for name, tensor in tensors.items():
        dense = _dense(name, tensor)
        # safetensors refuses tensors that share memory, as tied weights do.
        contents[name] = dense.clone() if dense.untyped_storage().data_ptr() in storages else dense
        storages.add(contents[name].untyped_storage().data_ptr())
    store.write(path, save(contents, metadata={"place": place(path), "sha256": digest(contents)}))


def digest(tensors: Mapping[str, torch.Tensor]) -> str:
    """Compute the SHA-256 over names, types, shapes and bytes of tensors, in the order of their names."""
    sha = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        dense = _dense(name, tensor)
        sha.update(f"{name} {dense.dtype} {tuple(dense.shape)}\n".encode())
        sha.update(dense.reshape(-1).view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()


def _dense(name: str, tensor: object) -> torch.Tensor:
    """Return a tensor on the CPU, contiguous in memory. Raises StitchLabError where a file cannot hold it."""
    if not isinstance(tensor, torch.Tensor):
        kind = f"a {type(tensor).__name__}"
    elif is_lazy(tensor) or tensor.is_meta:
        kind = "a tensor without numbers"
    elif tensor.layout != torch.strided or str(tensor.dtype).removeprefix("torch.") not in TORCH_TYPES.values():
        kind = f"a tensor of {tensor.layout}, {tensor.dtype}"
    else:
        dense: torch.Tensor = tensor.detach().cpu().contiguous()
        return dense
    raise StitchLabError(
        f"{name} cannot be kept: expected a dense tensor of plain numbers in the state_dict, got {kind}; "
        "convert it, or leave it out of the state_dict"
    )
