"""Read a run's values on half samples of its evaluation images: they show how much a number depends on the images.

Half samples are drawn without replacement: this is the delete-d jackknife with d = n/2 (Shao & Wu 1989, "A general
theory for jackknife variance estimation"). The jackknife scales deviations by √((n − d) / d), which is 1 for halves.
For odd n the factor is a little less than 1, and it is left out. In contrast to a bootstrap, no image occurs twice: a
copy would be its own nearest neighbour and perfectly similar. Quantiles of such deviations are due to Wu 1990, "On the
asymptotic properties of the jackknife histogram". `stitchlab.grid.halves` computes the values; here they are read.
"""

from __future__ import annotations

from functools import cached_property
from typing import cast

import numpy as np
import numpy.typing as npt

from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.methods import FUNCTIONAL
from stitchlab.errors import check_names
from stitchlab.request import METHODS, content_id
from stitchlab.results.keys import functional_key, result_key
from stitchlab.results.records import HalvesEntry, HalvesReason
from stitchlab.results.run import Run

ROOM = "halves"
VERSION = 1  # of how half samples are drawn and computed
SAMPLES = 100  # half samples
MIN_IMAGES = 8  # evaluation images
MIN_DEFINED = SAMPLES // 2  # half samples that must have a value: 2.5 % quantiles of fewer mean little
QUANTILES = (0.025, 0.975)
METHOD_METRICS = ("accuracy", "distance", *FUNCTIONAL)

FEW_IMAGES = f"half samples need {MIN_IMAGES} evaluation images or more; there are {{}}"
POSITIONS = "its rows are positions, of which only sums are kept: no half of the images can be taken"

Values = npt.NDArray[np.float64]


class Halves:
    """Read a run's half samples, as far as the store has them now. Make a new instance to see later results.

    Attributes:
        names: the run's methods and indices for which half samples are defined.
        left_out: by name, the reason why half samples are not defined for a method or an index.
    """

    def __init__(self, run: Run) -> None:
        request = run.request
        names = (*request.methods, *request.indices)
        few_images = FEW_IMAGES.format(request.eval_images) if request.eval_images < MIN_IMAGES else ""
        self.run = run
        self.left_out = {
            name: reason
            for name in names
            if (reason := few_images or ("" if name in METHODS or INDICES[name].permutable else POSITIONS))
        }
        self.names = tuple(name for name in names if name not in self.left_out)

    def __repr__(self) -> str:
        """Say what they are: ``<Halves of digits-a → digits-b on Digits: 6 of 6 methods and indices>``."""
        computed = len(self.names) - len(self.lacking)
        return f"<Halves of {self.run.title}: {computed} of {len(self.names)} methods and indices>"

    def metrics(self, name: str) -> tuple[str, ...]:
        """Name the numbers that half samples have of a method or an index."""
        return METHOD_METRICS if name in METHODS else (INDICES[name].metric,)

    def key(self, name: str) -> str:
        """Return the key of a method or an index, all cells together; it depends on the keys of the cells' results."""
        request = self.run.request
        keys = [result_key(request, name, *cell) for cell in request.cells]
        if name in METHODS:
            keys += [functional_key(request, name, *cell) for cell in request.cells]
        return content_id({"what": "halves", "of": keys, "samples": SAMPLES, "version": VERSION, "seed": request.seed})

    @cached_property
    def _read(self) -> dict[str, tuple[HalvesEntry, dict[str, Values]]]:
        computed = {}
        for name in self.names:
            key = self.key(name)
            entry = self.run.store.intact(ROOM, key)
            arrays = None if entry is None else self.run.store.intact_arrays(ROOM, key)
            if entry is not None and arrays is not None:
                computed[name] = cast("HalvesEntry", entry), arrays
        return computed

    def kept(self, name: str) -> dict[str, Values] | None:
        """Return the values (SAMPLES, front layers, end layers) by metric, NaN where undefined; None if not computed.

        Raises UnknownName for a name for which half samples are not defined.
        """
        check_names("method or similarity index with half samples", [name], self.names)
        return self._read[name][1] if name in self._read else None

    @property
    def lacking(self) -> list[str]:
        """List the methods and indices that are not computed yet, or were lost."""
        return [name for name in self.names if name not in self._read]

    @property
    def complete(self) -> bool:
        """Tell whether all half samples are computed."""
        return not self.lacking

    def values(self, name: str, metric: str) -> Values:
        """Return one number (SAMPLES, front layers, end layers); NaN where it is undefined or not computed yet.

        Raises UnknownName.
        """
        check_names("method or similarity index with half samples", [name], self.names)
        check_names(f"metric of half samples of {name}", [metric], self.metrics(name))
        request, arrays = self.run.request, self.kept(name)
        shape = SAMPLES, len(request.front_layers), len(request.end_layers)
        return np.full(shape, np.nan) if arrays is None else arrays[metric]

    def reasons(self, name: str) -> list[HalvesReason]:
        """List cells where some half samples lack a value, each with its metric and the reason."""
        return list(self._read[name][0]["reasons"]) if name in self._read else []

    def interval(self, name: str, metric: str) -> tuple[Values, Values]:
        """Return the lower and upper ends of the 95 % interval, (front layers, end layers) each.

        The ends are the value on all images plus the 2.5 % and the 97.5 % quantile of the half samples' deviations.
        Deviations are from the half samples' own mean, since many indices are higher on fewer images. NaN where there
        is no value on all images, or where fewer than half of the samples have one. Raises UnknownName.
        """
        values = self.values(name, metric)
        defined = np.isfinite(values)
        counts = defined.sum(0)
        enough = counts >= MIN_DEFINED
        values = np.where(defined, values, np.nan)
        means = np.where(defined, values, 0).sum(0) / np.maximum(counts, 1)
        low, high = np.nanquantile(np.where(enough, values - means, 0), QUANTILES, axis=0)
        on_all_images = np.where(enough, self.run.matrix(name, metric), np.nan)
        return on_all_images + low, on_all_images + high
