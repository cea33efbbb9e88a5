"""Defines an architecture of any origin: its entry in the catalog together with the function that builds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from stitchlab.catalog.architectures import ArchitectureEntry
from stitchlab.results.networks import Code


@dataclass(frozen=True, kw_only=True)
class Architecture(ArchitectureEntry):
    """Represents an architecture that can be built.

    ``build(classes, channels, size, **options)`` builds it with fresh weights. Tensors whose names begin with one of
    ``unused`` are in files of weights but not part of the classifier. ``code`` is the user's own code that is run to
    build it, if any.
    """

    build: Callable[..., nn.Module]
    unused: tuple[str, ...] = ()
    code: Code | None = None

    @classmethod
    def of(cls, entry: ArchitectureEntry, build: Callable[..., nn.Module]) -> Architecture:
        """Combine an entry of the catalog with the function that builds it."""
        return cls(**vars(entry), build=build)
