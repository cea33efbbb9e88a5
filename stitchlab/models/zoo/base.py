"""Defines what an architecture is, wherever it comes from: its entry in the catalog, and what builds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from stitchlab.catalog.architectures import ArchitectureEntry
from stitchlab.results.networks import Code


@dataclass(frozen=True, kw_only=True)
class Architecture(ArchitectureEntry):
    """Represents an architecture that can be built.

    ``build(classes, channels, size, **options)`` makes it with fresh parameters. Tensors of files whose names begin
    with one of ``unused`` play no part in the classifier. ``code`` is there where building it runs the user's own code.
    """

    build: Callable[..., nn.Module]
    unused: tuple[str, ...] = ()
    code: Code | None = None

    @classmethod
    def of(cls, entry: ArchitectureEntry, build: Callable[..., nn.Module]) -> Architecture:
        """Put an entry of the catalog and what builds it together."""
        return cls(**vars(entry), build=build)
