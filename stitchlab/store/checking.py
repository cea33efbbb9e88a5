"""Verify every file of the store against its checksum.

Tensors are compared as bytes, since NumPy does not know all of their types.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from stitchlab.errors import Damaged
from stitchlab.store import Store, check_place, damaged

CHUNK_BYTES = 2**20  # that are read at a time
MAX_HEADER_BYTES = 100_000_000  # of a safetensors file: the limit that safetensors itself has
ROOMS_WITHOUT_CHECKSUMS = ("uploads", "claims")

#: PyTorch's name for each type of safetensors: checksums of tensors are made with these names.
TORCH_TYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "I16": "int16",
    "U16": "uint16",
    "I32": "int32",
    "U32": "uint32",
    "I64": "int64",
    "U64": "uint64",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
    "C64": "complex64",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E8M0": "float8_e8m0fnu",
}


def check(store: Store) -> Iterator[tuple[Path, str]]:
    """Verify the store's files one by one; yield each with what is wrong with it, or an empty text.

    Files that are still being written are left out: hidden ones, and images that are being decoded.
    """
    rooms = (path for path in store.root.glob("*") if path.is_dir() and path.name not in ROOMS_WITHOUT_CHECKSUMS)
    for room in sorted(rooms):
        for path in sorted(room.iterdir()):
            verify = _VERIFY.get(path.suffix)
            if verify is None or path.name.startswith(".") or not path.is_file():
                continue
            try:
                verify(store, path)
            except Damaged as error:
                yield path, str(error)
            except FileNotFoundError:  # another process removed it meanwhile
                continue
            else:
                yield path, ""


def _json(store: Store, path: Path) -> None:
    store.get(path.parent.name, path.stem)


def _tensors(store: Store, path: Path) -> None:
    """Compare tensors with their checksum (`stitchlab.models.tensors.digest`), a part of the file at a time."""
    with path.open("rb") as file:
        try:
            header, start = _header(file)
            metadata: dict[str, str] = header.pop("__metadata__", {})
            if max((tensor["data_offsets"][1] for tensor in header.values()), default=0) != path.stat().st_size - start:
                raise damaged(path)
            sha = hashlib.sha256()
            for name, tensor in sorted(header.items()):
                sha.update(f"{name} torch.{TORCH_TYPES[tensor['dtype']]} {tuple(tensor['shape'])}\n".encode())
                begin, end = tensor["data_offsets"]
                _feed(sha, file, start + begin, end - begin)
        except (ValueError, KeyError, TypeError, AttributeError) as error:  # this is not the header of safetensors
            raise damaged(path) from error
    if metadata.get("sha256") != sha.hexdigest():
        raise damaged(path)
    check_place(path, metadata.get("place"))


def _header(file: BinaryIO) -> tuple[dict[str, Any], int]:
    """Read the header of a safetensors file, and where its data begin. Raises ValueError if it has none."""
    length = int.from_bytes(file.read(8), "little")
    if not 0 < length <= MAX_HEADER_BYTES:
        raise ValueError(f"expected the length of a header, got {length}")
    return json.loads(file.read(length)), 8 + length


def _pixels(store: Store, path: Path) -> None:
    """Compare decoded images with their file's name, which is the SHA-256 of the pixels."""
    import numpy as np

    if not re.fullmatch("[0-9a-f]{64}", path.stem):
        return  # these images are still being decoded
    try:
        start = np.load(path, mmap_mode="r", allow_pickle=False).offset
    except (ValueError, EOFError) as error:
        raise damaged(path) from error
    sha = hashlib.sha256()
    with path.open("rb") as file:
        _feed(sha, file, start, path.stat().st_size - start)
    if sha.hexdigest() != path.stem:
        raise damaged(path)


def _feed(sha: Any, file: BinaryIO, start: int, length: int) -> None:
    file.seek(start)
    while length > 0 and (data := file.read(min(CHUNK_BYTES, length))):
        sha.update(data)
        length -= len(data)


def _stitch_file(store: Store, path: Path) -> None:
    """Compare an opened .stitch file with its name, which is the SHA-256 of its bytes."""
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != path.stem:
            raise Damaged(f"{path} does not match its checksum; delete it and the .json beside it, and open it again")


_VERIFY = {".json": _json, ".safetensors": _tensors, ".npy": _pixels, ".stitch": _stitch_file}
