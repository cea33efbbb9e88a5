"""Keep an opened file in memory as a store, which is read like any other store and never written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from stitchlab.errors import StitchLabError
from stitchlab.results.bundle.arrays import Arrays
from stitchlab.store import Array, Source, Store

Place = tuple[str, str]  #: room and key
Named = tuple[Arrays, dict[str, str]]  #: an entry's arrays, and by their names in the store their names in the file


class BundleStore(Store):
    """Hold the results of one .stitch file, under the keys that these results have today.

    Args:
        source: the file.
        values: JSON values by room and key.
        arrays: arrays by room and key; they are read on demand.
        checksums: those of the networks' weights, which the file does not hold, by room and key.
    """

    def __init__(
        self,
        source: Source,
        values: Mapping[Place, dict[str, Any]],
        arrays: Mapping[Place, Named],
        checksums: Mapping[Place, str],
    ) -> None:
        self.source = source
        self.root = Path(source.file)  # for messages; it is no folder
        self._values, self._arrays, self._checksums = values, arrays, checksums

    def get(self, room: str, key: str) -> dict[str, Any] | None:
        """Return the entry's JSON value, or None if the file has none."""
        return self._values.get((room, key))

    def get_arrays(self, room: str, key: str) -> dict[str, Array] | None:
        """Return the entry's arrays, or None if the file has none."""
        if (room, key) not in self._arrays:
            return None
        arrays, names = self._arrays[room, key]
        return {name: arrays.get(name_in_file) for name, name_in_file in names.items()}

    def checksum(self, room: str, key: str) -> str | None:
        """Return the SHA-256 that the file states of tensors which it does not hold."""
        return self._checksums.get((room, key))

    def has(self, room: str, key: str) -> bool:
        """Tell whether the file has a JSON value for the entry."""
        return (room, key) in self._values

    def keys(self, room: str) -> list[str]:
        """List the keys of all JSON entries of a room, sorted."""
        return sorted(key for room_of_key, key in self._values if room_of_key == room)

    def path(self, room: str, key: str, suffix: str) -> Path:
        """Refuse, with a StitchLabError: an opened file has no folder.

        Args:
            room, key, suffix: as in `Store.path`; not used.
        """
        self._refuse()

    def put(self, room: str, key: str, value: dict[str, Any]) -> None:
        """Refuse, with a StitchLabError: an opened file is only read.

        Args:
            room, key, value: as in `Store.put`; not used.
        """
        self._refuse()

    def delete(self, room: str, key: str) -> None:
        """Refuse, with a StitchLabError: an opened file is only read."""
        self._refuse()

    def delete_all(self, room: str, beginning: str) -> None:
        """Refuse, with a StitchLabError: an opened file is only read."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        assert self.source is not None
        raise StitchLabError(
            f"{self.source.file} is an opened file and read-only: nothing is computed from it or kept in it. "
            "Compare the same networks here to compute the run yourself"
        )
