"""Keep everything that StitchLab computes in one folder (`stitchlab.store.places.cache`).

A *room* is a folder (networks, maps, cells, ...). Each of its entries is one JSON file, one safetensors file, or both;
their name is the entry's key, which is made from what the entry is. A file is written under a temporary name and then
renamed, so no process ever reads half a file. It holds its own checksum, and its room and key (older files do not): so
a file that was damaged, or copied over another one, is noticed. Nothing here is a pickle.
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
from stitchlab.store import places

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Source:
    """Describe the .stitch file from which results were read.

    Attributes:
        file: the name of the file, without folders.
        maker: the version of StitchLab that wrote it.
        made: when it was written, ISO 8601.
        title: which its author gave it; may be empty.
        story: what its author says about it; may be empty.
        command: the command that computed the results; may be empty.
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
    """Represent a folder of results.

    Args:
        root: the folder; default is `stitchlab.store.places.cache`: STITCHLAB_CACHE of the environment, else cache/ in
            a clone, else the platform's folder for a user's data.

    Attributes:
        source: the file from which its results were read; None if they were computed here.
    """

    source: Source | None = None

    def __init__(self, root: str | Path | None = None) -> None:
        self.root = Path(root or places.cache()).expanduser().resolve()

    def __repr__(self) -> str:
        return f"Store({str(self.root)!r})"

    def path(self, room: str, key: str, suffix: str) -> Path:
        """Return the path of an entry's file. Only plain names are accepted as keys.

        Args:
            room: the folder within the store.
            key: the entry's name.
            suffix: the end of the file's name, such as ``.json``.

        Raises:
            StitchLabError: the key is not a plain name.
        """
        if not key or Path(key).name != key or key.startswith("."):
            raise StitchLabError(f"expected a plain name as a key of the store, got {key!r}")
        return self.root / room / f"{key}{suffix}"

    def get(self, room: str, key: str) -> dict[str, Any] | None:
        """Read the entry's JSON value; None if there is none. Raises Damaged."""
        path = self.path(room, key, ".json")
        try:
            entry = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise damaged(path) from error
        if not isinstance(entry, dict) or entry.get("sha256") != _sha256(entry.get("value")):
            raise damaged(path)
        check_place(path, entry.get("place"))
        value: dict[str, Any] = entry["value"]
        return value

    def intact(self, room: str, key: str) -> dict[str, Any] | None:
        """Read an entry as `get` does, but return None if it is damaged: for what can be computed again."""
        with contextlib.suppress(Damaged):
            return self.get(room, key)
        return None

    def put(self, room: str, key: str, value: dict[str, Any]) -> None:
        """Write a JSON value under a key, in place of the one that was there.

        Args:
            room, key: of the entry.
            value: what to keep. It may not have NaN: undefined numbers are None.

        Raises:
            StitchLabError: the key is not a plain name, or the disk is full or not writable.
        """
        path = self.path(room, key, ".json")
        entry = {"place": place(path), "sha256": _sha256(value), "value": value}
        self.write(path, json.dumps(entry, indent=1, allow_nan=False).encode())

    def get_arrays(self, room: str, key: str) -> dict[str, Array] | None:
        """Read the entry's tensors as NumPy arrays; None if there are none.

        Raises Damaged, and StitchLabError for types that NumPy does not know (bfloat16, in networks only), which
        `stitchlab.models.tensors` reads.
        """
        path = self.path(room, key, ".safetensors")
        if not path.exists():
            return None
        try:
            with safe_open(path, framework="np") as file:
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
                metadata = file.metadata() or {}
        except (SafetensorError, OSError) as error:
            raise damaged(path) from error
        except (TypeError, AttributeError) as error:  # safetensors raises these if NumPy does not have the type
            raise StitchLabError(
                f"{path} has tensors of a type that NumPy does not know ({error}); read it with "
                "`stitchlab.models.tensors.get_tensors`"
            ) from error
        if metadata.get("sha256") != digest(arrays):
            raise damaged(path)
        check_place(path, metadata.get("place"))
        return arrays

    def intact_arrays(self, room: str, key: str) -> dict[str, Array] | None:
        """Read tensors as `get_arrays` does, but return None if they are damaged: for what can be recomputed."""
        with contextlib.suppress(Damaged):
            return self.get_arrays(room, key)
        return None

    def checksum(self, room: str, key: str) -> str | None:
        """Read the SHA-256 that is kept with an entry's tensors (`digest`); None if it is missing or damaged.

        The tensors themselves are neither read nor compared with it.
        """
        with (
            contextlib.suppress(SafetensorError, OSError),
            safe_open(self.path(room, key, ".safetensors"), framework="np") as file,
        ):
            sha256: str | None = (file.metadata() or {}).get("sha256")
            return sha256
        return None

    def has(self, room: str, key: str) -> bool:
        """Tell whether the entry has a JSON value."""
        return self.path(room, key, ".json").exists()

    def keys(self, room: str) -> list[str]:
        """List the keys of all JSON entries of a room, sorted."""
        try:
            names = os.listdir(self.root / room)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))

    def delete_all(self, room: str, beginning: str) -> None:
        """Remove the entries of a room whose keys begin with this text."""
        for path in (self.root / room).glob(f"{beginning}*"):
            path.unlink(missing_ok=True)

    def delete(self, room: str, key: str) -> None:
        """Remove an entry, JSON and tensors; do nothing if there is none."""
        for suffix in (".json", ".safetensors"):
            self.path(room, key, suffix).unlink(missing_ok=True)

    def write(self, path: Path, data: bytes | memoryview) -> None:
        """Write a file under a temporary name and rename it, so that no process reads half of it.

        Raises StitchLabError if the disk is full or the folder cannot be written.
        """
        if not path.name:
            raise StitchLabError(f"{path} is a folder; expected the name of a file")
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(data)
            temporary.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise unwritable(path.parent, error) from error


def store_or_default(store: Store | None) -> Store:
    """Return the store that was passed, or the default one for None. Raises StitchLabError for anything else."""
    if store is None:
        return Store()
    if not isinstance(store, Store):
        raise StitchLabError(
            f"store: expected a stitchlab.Store, got {type(store).__name__}; pass it after names "
            "and data, or as store=stitchlab.Store(PATH)"
        )
    return store


def unwritable(folder: Path, error: OSError) -> StitchLabError:
    """Return the error that says that a folder of the store could not be written."""
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
    """Return the room and the key of a file in the store, as ``room/key``."""
    return f"{path.parent.name}/{path.stem}"


def check_place(path: Path, recorded: str | None) -> None:
    """Check that a file lies at the place that is recorded in it; older files record none. Raises Damaged."""
    if recorded not in (None, place(path)):
        raise Damaged(f"{path} belongs at {recorded}; delete it, and it is computed or imported again")


def damaged(path: Path) -> Damaged:
    """Return the error that says that a file of the store does not match its checksum."""
    return Damaged(f"{path} does not match its checksum; delete it, and it is computed or imported again")
