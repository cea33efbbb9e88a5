"""cache/: everything that StitchLab computes, kept by content.

A *room* is a folder (networks, maps, cells, ...); in it each entry is one JSON file, one safetensors file, or both,
named by its key. Files are written beside and renamed, so that nobody ever reads half a file, and carry a checksum and
their own place (files from before have none), so that one that lies in another's place is noticed. Nothing here is a
pickle.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from stitchlab.errors import Damaged, StitchLabError
from stitchlab.request import canonical

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Source:
    """Says which .stitch file results came from, who made it, and what it is called.

    Attributes:
        file: the name of the file, without folders.
        maker: the version of StitchLab that wrote it.
        made: when, ISO 8601.
        title: what its maker calls it; may be empty.
        story: what its maker says of it; may be empty.
        command: the command that computed it; may be empty.
        gallery: whether it comes with StitchLab.
    """

    file: str
    maker: str
    made: str
    title: str = ""
    story: str = ""
    command: str = ""
    gallery: bool = False


class Store:
    """A folder of results.

    Args:
        root: where it lies; default is the environment's STITCHLAB_CACHE, else cache/ beside the package.

    Attributes:
        source: the file that its results were read from; None: they were computed here.
    """

    source: Source | None = None

    def __init__(self, root: str | Path | None = None) -> None:
        default = os.environ.get("STITCHLAB_CACHE") or Path(__file__).resolve().parents[2] / "cache"
        self.root = Path(root or default).expanduser().resolve()

    def path(self, room: str, key: str, suffix: str) -> Path:
        """Where an entry lies. Keys are looked up, never paths: anything but a plain name is refused."""
        if not key or Path(key).name != key or key.startswith("."):
            raise StitchLabError(f"a key of the store is a plain name; {key!r} came")
        return self.root / room / f"{key}{suffix}"

    def get(self, room: str, key: str) -> dict[str, Any] | None:
        """The entry's JSON value, or None where there is none. Raises Damaged."""
        path = self.path(room, key, ".json")
        try:
            kept = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise damaged(path) from error
        if not isinstance(kept, dict) or kept.get("sha256") != _sha256(kept.get("value")):
            raise damaged(path)
        check_place(path, kept.get("place"))
        value: dict[str, Any] = kept["value"]
        return value

    def intact(self, room: str, key: str) -> dict[str, Any] | None:
        """As `get`, but None where the entry is damaged: for what can be computed again."""
        with contextlib.suppress(Damaged):
            return self.get(room, key)
        return None

    def put(self, room: str, key: str, value: dict[str, Any]) -> None:
        """Keep a JSON value (no NaN: undefined is None)."""
        path = self.path(room, key, ".json")
        kept = {"place": place(path), "sha256": _sha256(value), "value": value}
        self.write(path, json.dumps(kept, indent=1, allow_nan=False).encode())

    def get_arrays(self, room: str, key: str) -> dict[str, Array] | None:
        """Read the entry's tensors as NumPy arrays, or None where there are none. Raises Damaged.

        Raises StitchLabError for types that NumPy does not know (bfloat16, in networks only), which
        `stitchlab.models.tensors` reads.
        """
        path = self.path(room, key, ".safetensors")
        if not path.exists():
            return None
        try:
            with safe_open(path, framework="np") as file:
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
                remarks = file.metadata() or {}
        except (SafetensorError, OSError) as error:
            raise damaged(path) from error
        except (TypeError, AttributeError) as error:  # what safetensors raises where NumPy lacks a type
            raise StitchLabError(
                f"{path} has tensors of a type that NumPy does not know ({error}); read it with "
                "`stitchlab.models.tensors.get_tensors`"
            ) from error
        if remarks.get("sha256") != digest(arrays):
            raise damaged(path)
        check_place(path, remarks.get("place"))
        return arrays

    def intact_arrays(self, room: str, key: str) -> dict[str, Array] | None:
        """As `get_arrays`, but None where they are damaged: for what can be computed again."""
        with contextlib.suppress(Damaged):
            return self.get_arrays(room, key)
        return None

    def checksum(self, room: str, key: str) -> str | None:
        """The SHA-256 that an entry's tensors carry (`digest`), None where they are lost or damaged; none is read."""
        with contextlib.suppress(SafetensorError, OSError), safe_open(
            self.path(room, key, ".safetensors"), framework="np"
        ) as file:
            carried: str | None = (file.metadata() or {}).get("sha256")
            return carried
        return None

    def has(self, room: str, key: str) -> bool:
        """Whether the entry has a JSON value."""
        return self.path(room, key, ".json").exists()

    def keys(self, room: str) -> list[str]:
        """The keys of all JSON entries of a room, sorted."""
        try:
            names = os.listdir(self.root / room)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))

    def delete_all(self, room: str, beginning: str) -> None:
        """Remove the entries of a room whose keys begin so."""
        for path in (self.root / room).glob(f"{beginning}*"):
            path.unlink(missing_ok=True)

    def delete(self, room: str, key: str) -> None:
        """Remove an entry, whatever it consists of; no matter if there is none."""
        for suffix in (".json", ".safetensors"):
            self.path(room, key, suffix).unlink(missing_ok=True)

    def write(self, path: Path, data: bytes | memoryview) -> None:
        """Write a file beside its place and rename it there: it is whole or it is not there.

        Raises StitchLabError where the disk is full or the folder cannot be written.
        """
        if not path.name:
            raise StitchLabError(f"{path} is a folder; the name of a file was expected")
        beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(data)
            beside.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            raise unwritable(path.parent, error) from error


def given(store: Store | None) -> Store:
    """Give the store that a caller named, or the default one. Raises StitchLabError for anything else."""
    if store is None:
        return Store()
    if not isinstance(store, Store):
        raise StitchLabError(f"store: a stitchlab.Store was expected, got {type(store).__name__}; it comes after names "
                             "and data, or by its name: store=stitchlab.Store(PATH)")
    return store


def unwritable(folder: Path, error: OSError) -> StitchLabError:
    """Say that a folder of the store could not be written."""
    return StitchLabError(
        f"could not write to {folder} ({error.strerror}); nothing was half-written. Free some space or choose another "
        "folder (STITCHLAB_CACHE moves the cache)"
    )


def digest(arrays: dict[str, Array]) -> str:
    """Compute the SHA-256 over names, types, shapes and bytes of arrays, in the order of their names.

    Types are written as PyTorch writes them: `stitchlab.models.tensors.digest` gives the same for the same tensors.
    """
    sha = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        sha.update(f"{name} torch.{array.dtype.name} {array.shape}\n".encode())
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


def _sha256(value: Any) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def place(path: Path) -> str:
    """Name the place of a file in the store: its room and its key."""
    return f"{path.parent.name}/{path.stem}"


def check_place(path: Path, said: str | None) -> None:
    """Raises Damaged where a file says that it belongs elsewhere; what was written before files said so passes."""
    if said not in (None, place(path)):
        raise Damaged(f"{path} belongs at {said}; delete it, and it is computed or imported again")


def damaged(path: Path) -> Damaged:
    """Say that a file of the store is not what was written there."""
    return Damaged(f"{path} does not match its checksum; delete it, and it is computed or imported again")
