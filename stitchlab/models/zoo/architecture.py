"""What an architecture is, wherever it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from stitchlab.errors import StitchLabError, check_names


@dataclass(frozen=True)
class Code:
    """Code of the user's own that builds a network: the file it stands in, and the SHA-256 of that."""

    file: str
    sha256: str


@dataclass(frozen=True)
class Architecture:
    """An architecture.

    ``build(classes, channels, size, **options)`` makes it with fresh parameters; ``options`` are all there are, with
    their defaults: counts from 1 on, or words of which ``words`` lists those that are known. Images of ``smallest`` to
    ``largest`` pixels a side that are a multiple of ``multiple`` fit. ``optimiser`` is what it is trained with here,
    None for one that is only a control. ``size`` is what its own images have. Tensors of files whose names begin with
    one of ``unused`` play no part in the classifier. ``code`` is there where building it runs the user's own code.
    """

    name: str
    label: str
    build: Callable[..., nn.Module]
    reference: str
    options: dict[str, Any] = field(default_factory=dict)
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)
    smallest: int = 1
    largest: int | None = None
    multiple: int = 1
    optimiser: str | None = "sgd"
    size: int = 32
    unused: tuple[str, ...] = ()
    code: Code | None = None

    def resolve(self, options: dict[str, Any] | None = None) -> dict[str, Any]:
        """All options, these over the defaults.

        Raises StitchLabError for an option that it does not have, or a value that it does not know.
        """
        options = options or {}
        if unknown := sorted(set(options) - set(self.options)):
            there = f"its options are: {', '.join(self.options)}" if self.options else "it has none"
            raise StitchLabError(f"{self.name} has no option {', '.join(unknown)}; {there}")
        for name, value in options.items():
            if name in self.words:
                check_names(f"{name} of {self.name}", [value], self.words[name])
            elif type(value) is not int or value < 1:
                raise StitchLabError(f"{self.name}'s option {name} is a whole number from 1 on; {value!r} came")
        return {**self.options, **options}

    def check_size(self, size: int) -> None:
        """Raises StitchLabError where images of ``size``×``size`` pixels do not fit, as far as is known beforehand."""
        if self.smallest <= size <= (self.largest or size) and size % self.multiple == 0:
            return
        most = f" to {self.largest}" if self.largest else " or more"
        step = f" and a multiple of {self.multiple}" if self.multiple > 1 else ""
        raise StitchLabError(
            f"{self.name} takes images of {self.smallest}{most} pixels a side{step}; these have {size}. "
            "Choose another architecture or input size, or bring the images to another size (folder:PATH@SIZE)"
        )
