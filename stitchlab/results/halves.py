"""Read a run's values on half samples of its evaluation images, which tell how much a number depends on the images.

Half samples are drawn without replacement, which is the delete-d jackknife with d = n/2 (Shao & Wu 1989, "A general
theory for jackknife variance estimation"). It scales deviations by √((n − d) / d), which is 1 for halves; for odd n it
is a little less, and left out. Unlike a bootstrap, no image is there twice: a copy would be a nearest neighbour and
perfectly similar to itself. Quantiles of such deviations: Wu 1990, "On the asymptotic properties of the jackknife
histogram". `stitchlab.grid.halves` computes them; here they are read.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.methods import FUNCTIONAL
from stitchlab.errors import check_names
from stitchlab.request import METHODS, content_id
from stitchlab.results.keys import functional_key, result_key
from stitchlab.results.run import Run

ROOM = "halves"
VERSION = 1
SAMPLES = 100
LEAST = 8  # evaluation images
DEFINED = SAMPLES // 2  # half samples that must have a value: of fewer there are no 2.5 % quantiles
QUANTILES = (0.025, 0.975)
OF_METHODS = ("accuracy", "distance", *FUNCTIONAL)

FEW = f"half samples need {LEAST} evaluation images or more; there are {{}}"
POSITIONS = "its rows are positions, of which only sums are kept: no half of the images can be taken"

Values = npt.NDArray[np.float64]


class Halves:
    """Read what the store has of a run's half samples now. Make a new one to see what has come since.

    Attributes:
        names: methods and indices of the run that half samples are defined for.
        left_out: the others, and why.
    """

    def __init__(self, run: Run) -> None:
        request = run.request
        every = (*request.methods, *request.indices)
        few = FEW.format(request.eval_images) if request.eval_images < LEAST else ""
        self.run = run
        self.left_out = {
            name: reason
            for name in every
            if (reason := few or ("" if name in METHODS or INDICES[name].permutable else POSITIONS))
        }
        self.names = tuple(name for name in every if name not in self.left_out)

    def metrics(self, name: str) -> tuple[str, ...]:
        """Name the numbers that half samples have of a method or an index."""
        return OF_METHODS if name in METHODS else (INDICES[name].metric,)

    def key(self, name: str) -> str:
        """Return the key of all cells of a method or an index; it depends on the keys of their own results."""
        request = self.run.request
        keys = [result_key(request, name, *cell) for cell in request.cells]
        if name in METHODS:
            keys += [functional_key(request, name, *cell) for cell in request.cells]
        return content_id({"what": "halves", "of": keys, "samples": SAMPLES, "version": VERSION, "seed": request.seed})

    @cached_property
    def _read(self) -> dict[str, tuple[dict[str, Any], dict[str, Values]]]:
        found = {}
        for name in self.names:
            key = self.key(name)
            entry = self.run.store.intact(ROOM, key)
            arrays = None if entry is None else self.run.store.intact_arrays(ROOM, key)
            if entry is not None and arrays is not None:
                found[name] = entry, arrays
        return found

    def kept(self, name: str) -> dict[str, Values] | None:
        """Return the values (SAMPLES, front layers, end layers) by metric, NaN where undefined; None if not computed.

        Raises UnknownName for what half samples are not defined for.
        """
        check_names("method or similarity index with half samples", [name], self.names)
        return self._read[name][1] if name in self._read else None

    @property
    def lacking(self) -> list[str]:
        """List the methods and indices that are not computed yet, or were lost."""
        return [name for name in self.names if name not in self._read]

    @property
    def complete(self) -> bool:
        """Tell whether all are computed."""
        return not self.lacking

    def values(self, name: str, metric: str) -> Values:
        """Return one number (SAMPLES, front layers, end layers); NaN where it is undefined or not computed yet.

        Raises UnknownName.
        """
        check_names("method or similarity index with half samples", [name], self.names)
        check_names(f"metric of half samples of {name}", [metric], self.metrics(name))
        request, kept = self.run.request, self.kept(name)
        shape = SAMPLES, len(request.front_layers), len(request.end_layers)
        return np.full(shape, np.nan) if kept is None else kept[metric]

    def reasons(self, name: str) -> list[dict[str, str]]:
        """List cells whose half samples partly lack a value: ``metric``, ``front_layer``, ``end_layer``, ``reason``."""
        return list(self._read[name][0]["reasons"]) if name in self._read else []

    def interval(self, name: str, metric: str) -> tuple[Values, Values]:
        """Return the lower and upper ends of the 95 % interval, (front layers, end layers) each.

        It lies around the value of all images: that plus the 2.5 % and the 97.5 % quantile of the half samples'
        deviations from their own mean, since many an index is higher on fewer images. NaN where there is no value of
        all images, or fewer than half of the samples have one. Raises UnknownName.
        """
        values = self.values(name, metric)
        known = np.isfinite(values)
        counts = known.sum(0)
        enough = counts >= DEFINED
        values = np.where(known, values, np.nan)
        means = np.where(known, values, 0).sum(0) / np.maximum(counts, 1)
        low, high = np.nanquantile(np.where(enough, values - means, 0), QUANTILES, axis=0)
        whole = np.where(enough, self.run.matrix(name, metric), np.nan)
        return whole + low, whole + high
