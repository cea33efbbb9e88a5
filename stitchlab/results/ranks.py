"""Read what each measure says when the front network's activations keep only r leading principal directions.

At cells (i, i) of a run, the front network's activations at i are cut to r directions of one basis, from the training
images of direct matching (`stitchlab.stitch.truncation` has the definition), and every method and index is computed
again, and a linear probe of the front network (`stitchlab.probes`) on its cut features. At r = C, all channels, nothing
is cut: methods and indices have there what the run has.
"""

from __future__ import annotations

import contextlib
from functools import cached_property
from typing import Any

from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.methods import METRICS
from stitchlab.errors import StitchLabError, check_names
from stitchlab.request import METHODS, content_id
from stitchlab.results import cut_points, probes
from stitchlab.results.activation_layout import layout_of
from stitchlab.results.keys import functional_key, result_key
from stitchlab.results.resolve import NotFoundYet
from stitchlab.results.run import DERIVED, Run

ROOM = "ranks"
VERSION = 1  # of the basis, of the ranks, and of what is computed at them
MOST = 8  # ranks of a layer
PROBE = "probe"
STITCHED = tuple(name for name in METRICS if name not in DERIVED)


def grid_of(channels: int) -> tuple[int, ...]:
    """Return the ranks that a layer of so many channels is cut to, ascending: C, C/2, C/4, … down to 1, at most 8.

    >>> grid_of(20), grid_of(1024)
    ((1, 2, 5, 10, 20), (8, 16, 32, 64, 128, 256, 512, 1024))
    """
    return tuple(channels >> k for k in reversed(range(MOST)) if channels >> k)


def metrics(name: str) -> tuple[str, ...]:
    """Name the numbers that a method, an index or the probe has at each rank."""
    if name == PROBE:
        return ("accuracy",)
    return STITCHED if name in METHODS else (INDICES[name].metric,)


class Ranks:
    """Read the measures at each rank of a run, as far as the store has them now. Make new ones to see more.

    Attributes:
        run: whose front and end layers are the same.
        layers: their names, in network order.
        names: the run's methods and indices, and ``probe``.

    Raises StitchLabError for another run; NotFoundYet where the front network's cut points are not known.
    """

    def __init__(self, run: Run) -> None:
        request = run.request
        if request.front_layers != request.end_layers:
            raise StitchLabError(
                f"ranks need a run whose front and end layers are the same; those of run {run.id} "
                "differ: compare two networks of one architecture at the same layers"
            )
        cuts = cut_points.kept(run.store, request.front)
        if cuts is None:
            raise NotFoundYet(run.record["front"]["name"], request.front)
        self.run, self.layers = run, request.front_layers
        self.names = (*request.methods, *request.indices, PROBE)
        self._ranks: dict[str, tuple[int, ...]] = dict.fromkeys(self.layers, ())
        for layer in self.layers:
            with contextlib.suppress(StitchLabError):  # neither a map, tokens nor a vector
                self._ranks[layer] = grid_of(layout_of(cuts.find(layer).shape).channels)

    def ranks(self, layer: str) -> tuple[int, ...]:
        """Return the ranks of a layer, ascending; the last is the number of channels. Empty if it has no channels."""
        return self._ranks[layer]

    def cut(self, layer: str) -> tuple[int, ...]:
        """Return the ranks of a layer at which something is cut off: all but the last."""
        return self._ranks[layer][:-1]

    def computed(self, name: str, layer: str) -> tuple[int, ...]:
        """Return the ranks that are computed: all for the probe, else those at which something is cut off."""
        return self.ranks(layer) if name == PROBE else self.cut(layer)

    @property
    def train_images(self) -> int:
        """Return how many images probes are trained on: TLM's number if one was set, else all, at most 10,000."""
        return self.run.request.tlm.images or min(int(self.run.record["data"]["train"]), probes.TRAIN_IMAGES)

    def key(self, name: str, layer: str) -> str:
        """Return the key of what is kept of a method, an index or the probe at a layer, all ranks together."""
        request = self.run.request
        of: Any
        if name == PROBE:
            asked = probes.ProbeRequest(
                network=request.front,
                data=request.data,
                train_images=self.train_images,
                eval_images=request.eval_images,
                seed=request.seed,
                precision=request.precision,
            )
            of = probes.key(asked, layer)
        else:
            of = [result_key(request, name, layer, layer)]
            of += [functional_key(request, name, layer, layer)] if name in METHODS else []
        return content_id(
            {
                "what": "ranks",
                "of": of,
                "ranks": self.computed(name, layer),
                "basis": request.dm.images,
                "version": VERSION,
            }
        )

    @cached_property
    def _keys(self) -> dict[tuple[str, str], str]:
        return {
            (name, layer): self.key(name, layer)
            for layer in self.layers
            for name in self.names
            if self.computed(name, layer)
        }

    @property
    def keys(self) -> set[str]:
        """Return the keys of all that is kept (room ``ranks``)."""
        return set(self._keys.values())

    @cached_property
    def _kept(self) -> dict[tuple[str, str], dict[str, Any]]:
        found = {where: self.run.store.intact(ROOM, key) for where, key in self._keys.items()}
        return {where: kept for where, kept in found.items() if kept is not None}

    def kept(self, name: str, layer: str) -> dict[str, Any] | None:
        """Read what the store has of a method, an index or the probe at a layer: lists of numbers, and reasons."""
        return self._kept.get((name, layer))

    @property
    def lacking(self) -> list[tuple[str, str]]:
        """List what is not computed yet, as (name, layer)."""
        return [where for where in self._keys if where not in self._kept]

    @property
    def complete(self) -> bool:
        """Tell whether everything is computed; what the run itself has at r = C does not count."""
        return not self.lacking

    def curve(self, name: str, metric: str, layer: str) -> list[float | None]:
        """Return a number at each of a layer's `ranks`.

        Args:
            name: a method or index of the run, or ``probe``.
            metric: one of its `metrics`.
            layer: a layer of the run.

        Returns:
            None where it is undefined or not computed yet.

        Raises:
            UnknownName: there is no such name, metric or layer.
        """
        self._check(name, metric, layer)
        kept = self.kept(name, layer)
        there = kept[metric] if kept else [None] * len(self.computed(name, layer))
        return [*there] if name == PROBE else [*there, self.run.value(name, metric, layer, layer)]

    def reasons(self, name: str, metric: str, layer: str) -> list[str]:
        """Say why a number is empty, at each of a layer's `ranks`; of the probe also that it did not converge.

        Args:
            name, metric, layer: as in `curve`.

        Returns:
            an empty text where it is not empty, or not computed yet.

        Raises:
            UnknownName: there is no such name, metric or layer.
        """
        self._check(name, metric, layer)
        kept = self.kept(name, layer)
        there = kept["reasons"][metric] if kept else [""] * len(self.computed(name, layer))
        return [*there] if name == PROBE else [*there, self.run.reason(name, metric, layer, layer)]

    def _check(self, name: str, metric: str, layer: str) -> None:
        check_names("method or similarity index of this run", [name], self.names)
        check_names(f"metric of {name}", [metric], metrics(name))
        check_names("layer of this run", [layer], self.layers)
