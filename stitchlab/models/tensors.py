"""PyTorch's side of the store: named tensors in safetensors files that carry a checksum (`stitchlab.store`)."""

from __future__ import annotations

import contextlib
import hashlib

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from stitchlab.errors import Damaged
from stitchlab.store import Store, check_place, damaged, place


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


def put_tensors(store: Store, room: str, key: str, tensors: dict[str, torch.Tensor]) -> None:
    """Keep named tensors. Raises StitchLabError where they cannot be written."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    path = store.path(room, key, ".safetensors")
    store.write(path, save(plain, metadata={"place": place(path), "sha256": digest(plain)}))


def digest(tensors: dict[str, torch.Tensor]) -> str:
    """Compute the SHA-256 over names, types, shapes and bytes of tensors, in the order of their names."""
    sha = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        sha.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()
