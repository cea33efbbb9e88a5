"""Read and write the arrays of a .stitch file, in the format of safetensors, and choose the samples that it holds.

The format has an 8-byte length, a JSON header with the type, shape and place of each array, and the arrays' bytes
(https://huggingface.co/docs/safetensors). The whole header is checked before any byte of the arrays is read; arrays are
read without copying.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from safetensors.numpy import save

from stitchlab.results.bundle.checks import fits, need, parsed
from stitchlab.results.bundle.layout import MAX_CHANNELS, ORDER_STATISTICS
from stitchlab.store import Array

TYPES = {"F16": np.float16, "F32": np.float32, "U8": np.uint8, "I16": np.int16, "I32": np.int32, "I64": np.int64}
_TENSOR = {"dtype": str, "shape": [int], "data_offsets": [int]}


class Arrays:
    """Hold the arrays of an entry: names and shapes are checked at once, values are read on demand."""

    def __init__(self, name: str, data: bytes) -> None:
        self._name, self._data = name, data
        need(len(data) >= 8, f"{name} is damaged")
        length = int.from_bytes(data[:8], "little")
        need(0 < length <= len(data) - 8, f"{name} is damaged")
        header = parsed(name, data[8 : 8 + length])
        fits(name, header, {str: {}})
        header.pop("__metadata__", None)
        self._start, end = 8 + length, 0
        self._places: dict[str, tuple[str, tuple[int, ...], int]] = {}  # type, shape and first byte
        for array_name, tensor in sorted(header.items(), key=lambda item: _first_byte(name, item[1])):
            first, last = tensor["data_offsets"]
            need(tensor["dtype"] in TYPES and len(tensor["shape"]) <= 4, f"{name} has an array of an unexpected type")
            need(all(0 <= n <= 10 * MAX_CHANNELS for n in tensor["shape"]), f"{name} has an array that is too large")
            size = math.prod(tensor["shape"]) * np.dtype(TYPES[tensor["dtype"]]).itemsize
            need(first == end and last == first + size, f"{name} is damaged")
            end = last
            self._places[array_name] = tensor["dtype"], tuple(tensor["shape"]), first
        need(self._start + end == len(data), f"{name} is damaged")

    @property
    def names(self) -> list[str]:
        """List the names of the arrays."""
        return list(self._places)

    def check(self, name: str, types: str, *shape: int | None) -> None:
        """Check that an array has the expected type and shape.

        Args:
            name: of the array.
            types: the allowed types, separated by spaces: ``F32``, ``I16 I32``.
            shape: the length of each dimension; None: any length.

        Raises:
            Wrong: it is missing, or has another type or shape.
        """
        need(name in self._places, f"{self._name} lacks {name[:60]}")
        dtype, actual, _ = self._places[name]
        fitting = len(actual) == len(shape) and all(n is None or n == m for n, m in zip(shape, actual, strict=True))
        need(dtype in types.split() and fitting, f"{self._name}: {name[:60]} has an unexpected type or shape")

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of an array. Raises Wrong if there is none."""
        need(name in self._places, f"{self._name} lacks {name[:60]}")
        return self._places[name][1]

    def get(self, name: str) -> Array:
        """Read an array; integers become int64, as the store has them, except images."""
        dtype, shape, first = self._places[name]
        little_endian = np.dtype(TYPES[dtype]).newbyteorder("<")
        array = np.frombuffer(self._data, little_endian, math.prod(shape), self._start + first).reshape(shape)
        return array.astype(np.int64) if dtype in ("I16", "I32") else array


def _first_byte(name: str, tensor: object) -> int:
    """Check the header of an array, and return the place of its first byte. Raises Wrong."""
    fits(name, tensor, _TENSOR)
    assert isinstance(tensor, dict)
    need(len(tensor["data_offsets"]) == 2, f"{name} is damaged")
    return int(tensor["data_offsets"][0])


def packed(arrays: Mapping[str, Array]) -> bytes:
    """Write arrays as an entry, with the same bytes each time; integers take as few bytes as they need."""
    small_arrays = {name: np.ascontiguousarray(small(array)) for name, array in arrays.items()}
    return bytes(save(dict(sorted(small_arrays.items()))))


def small(array: Array) -> Array:
    """Convert integers to 16 or 32 bits, if they fit; return anything else as it is."""
    if array.dtype.kind != "i":
        return array
    largest = int(np.abs(array).max()) if array.size else 0
    return array.astype(np.int16 if largest < 2**15 else np.int32 if largest < 2**31 else np.int64)


def sample(values: Array) -> Array:
    """Return evenly spaced order statistics (201 at most), with the smallest, the median and the largest among them.

    >>> sample(np.arange(1000.0))[[0, 100, 200]].tolist()
    [0.0, 500.0, 999.0]
    """
    ordered = np.sort(values + np.zeros((), values.dtype))  # adding 0 turns −0 into 0
    if len(ordered) <= ORDER_STATISTICS:
        return ordered
    chosen: Array = ordered[np.round(np.linspace(0, len(ordered) - 1, ORDER_STATISTICS)).astype(int)]
    return chosen
