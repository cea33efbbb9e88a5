"""Read and write arrays in a .stitch file: safetensors as bytes, read without copying, and the samples kept.

The format is an 8-byte length, a JSON header that says of each name its type, shape and bytes, and the bytes
(https://huggingface.co/docs/safetensors). Every header is checked before a byte of data is looked at.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from safetensors.numpy import save

from stitchlab.results.bundle.checks import fits, need, parsed
from stitchlab.results.bundle.layout import MOST_CHANNELS, SCORES
from stitchlab.store import Array

TYPES = {"F16": np.float16, "F32": np.float32, "U8": np.uint8, "I16": np.int16, "I32": np.int32, "I64": np.int64}
_TENSOR = {"dtype": str, "shape": [int], "data_offsets": [int]}


class Arrays:
    """Hold the named arrays of an entry: names and shapes are known at once, values are read on demand."""

    def __init__(self, name: str, data: bytes) -> None:
        self._name, self._data = name, data
        need(len(data) >= 8, f"{name} is damaged")
        length = int.from_bytes(data[:8], "little")
        need(0 < length <= len(data) - 8, f"{name} is damaged")
        header = parsed(name, data[8 : 8 + length])
        fits(name, header, {str: {}})
        header.pop("__metadata__", None)
        self._start, end = 8 + length, 0
        self._places: dict[str, tuple[str, tuple[int, ...], int]] = {}
        for each, said in sorted(header.items(), key=lambda item: _begin(name, item[1])):
            first, last = said["data_offsets"]
            need(said["dtype"] in TYPES and len(said["shape"]) <= 4, f"{name} has an array of an unexpected type")
            need(all(0 <= n <= 10 * MOST_CHANNELS for n in said["shape"]), f"{name} has an array that is too large")
            size = math.prod(said["shape"]) * np.dtype(TYPES[said["dtype"]]).itemsize
            need(first == end and last == first + size, f"{name} is damaged")
            end = last
            self._places[each] = said["dtype"], tuple(said["shape"]), first
        need(self._start + end == len(data), f"{name} is damaged")

    @property
    def names(self) -> list[str]:
        """List the names of the arrays."""
        return list(self._places)

    def check(self, name: str, types: str, *shape: int | None) -> None:
        """Check that an array has the expected type and shape.

        Args:
            name: of the array.
            types: those that are allowed, separated by spaces: ``F32``, ``I16 I32``.
            shape: the length of each dimension; None: any.

        Raises:
            Wrong: it is missing, or has another type or shape.
        """
        need(name in self._places, f"{self._name} lacks {name[:60]}")
        dtype, there, _ = self._places[name]
        right = len(there) == len(shape) and all(n is None or n == m for n, m in zip(shape, there, strict=True))
        need(dtype in types.split() and right, f"{self._name}: {name[:60]} has an unexpected type or shape")

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of an array. Raises Wrong if there is none."""
        need(name in self._places, f"{self._name} lacks {name[:60]}")
        return self._places[name][1]

    def get(self, name: str) -> Array:
        """Read an array; integers become int64, as the store has them, except images."""
        dtype, shape, first = self._places[name]
        kind = np.dtype(TYPES[dtype]).newbyteorder("<")
        made = np.frombuffer(self._data, kind, math.prod(shape), self._start + first).reshape(shape)
        return made.astype(np.int64) if dtype in ("I16", "I32") else made


def _begin(name: str, said: object) -> int:
    fits(name, said, _TENSOR)
    assert isinstance(said, dict)
    need(len(said["data_offsets"]) == 2, f"{name} is damaged")
    return int(said["data_offsets"][0])


def packed(arrays: Mapping[str, Array]) -> bytes:
    """Write arrays as an entry, with the same bytes each time; integers take as few bytes as they need."""
    made = {name: np.ascontiguousarray(small(array)) for name, array in arrays.items()}
    return bytes(save(dict(sorted(made.items()))))


def small(array: Array) -> Array:
    """Convert integers to 16 or 32 bits, if they fit; return anything else as it is."""
    if array.dtype.kind != "i":
        return array
    largest = int(np.abs(array).max()) if array.size else 0
    return array.astype(np.int16 if largest < 2**15 else np.int32 if largest < 2**31 else np.int64)


def sample(values: Array) -> Array:
    """Keep evenly spaced order statistics (201 at most), the smallest, the median and the largest among them.

    >>> sample(np.arange(1000.0))[[0, 100, 200]].tolist()
    [0.0, 500.0, 999.0]
    """
    ordered = np.sort(values + np.zeros((), values.dtype))  # which makes −0 and 0 one number
    if len(ordered) <= SCORES:
        return ordered
    kept: Array = ordered[np.round(np.linspace(0, len(ordered) - 1, SCORES)).astype(int)]
    return kept
