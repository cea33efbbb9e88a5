"""Read the values of each measure where the front network's activations keep only r leading principal directions.

At the cells (i, i) of a run, the front network's activations at layer i are cut to r directions. The basis comes from
the training images of direct matching (`stitchlab.stitch.truncation` has the definition). Every method and index is
then computed again, and a linear probe is trained on the front network's cut features (`stitchlab.probes`). At r = C,
the number of channels, nothing is cut: there, methods and indices have the values of the run itself.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cached_property

from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.methods import METRICS
from stitchlab.errors import StitchLabError, check_names
from stitchlab.request import METHODS, content_id
from stitchlab.results import cut_points, probes
from stitchlab.results.activation_layout import layout_of
from stitchlab.results.keys import functional_key, result_key
from stitchlab.results.resolve import NotFoundYet
from stitchlab.results.run import DERIVED, Run
from stitchlab.store import Store

ROOM = "ranks"
VERSION = 1  # of the basis, of the ranks, and of the numbers computed at them
MAX_RANKS = 8  # of a layer
PROBE = "probe"
STITCHED = tuple(name for name in METRICS if name not in DERIVED)


@dataclass(frozen=True)
class RankEntry:
    """Hold the numbers of a method, an index or the probe at a layer, by metric and rank, and why some are None."""

    values: dict[str, list[float | None]]
    reasons: dict[str, list[str]]


def read(store: Store, name: str, key: str) -> RankEntry | None:
    """Read the numbers that `stitchlab.grid.ranks` kept; None if they are not computed yet, or damaged.

    Args:
        store: where they are.
        name: of the method or index, or ``probe``.
        key: of the entry (`Ranks.key`).
    """
    record = store.intact(ROOM, key)
    return (
        None if record is None else RankEntry({metric: record[metric] for metric in metrics(name)}, record["reasons"])
    )


def grid_of(channels: int) -> tuple[int, ...]:
    """Return the ranks to which a layer of so many channels is cut, ascending: C, C/2, C/4, … down to 1, at most 8.

    >>> grid_of(20), grid_of(1024)
    ((1, 2, 5, 10, 20), (8, 16, 32, 64, 128, 256, 512, 1024))
    """
    return tuple(channels >> k for k in reversed(range(MAX_RANKS)) if channels >> k)


def metrics(name: str) -> tuple[str, ...]:
    """Name the numbers that a method, an index or the probe has at each rank."""
    if name == PROBE:
        return ("accuracy",)
    return STITCHED if name in METHODS else (INDICES[name].metric,)


class Ranks:
    """Read a run's measures at each rank, as far as the store has them now. Make a new instance to see later results.

    Attributes:
        run: a run whose front and end layers have the same names.
        layers: their names, in network order.
        names: the run's methods and indices, and ``probe``.

    Raises StitchLabError for any other run; NotFoundYet where the front network's cut points are not known.
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
            with contextlib.suppress(StitchLabError):  # activations that are neither a map, tokens nor a vector
                self._ranks[layer] = grid_of(layout_of(cuts.find(layer).shape).channels)

    def __repr__(self) -> str:
        """Say what they are: ``<Ranks of digits-a → digits-b on Digits: 6 layers>``."""
        return f"<Ranks of {self.run.title}: {len(self.layers)} layers>"

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
        """Return how many images probes are trained on: TLM's number if it is set, else all, at most 10,000."""
        return self.run.request.tlm.images or min(int(self.run.record["data"]["train"]), probes.TRAIN_IMAGES)

    def key(self, name: str, layer: str) -> str:
        """Return the key of the entry of a method, an index or the probe at a layer, all ranks together."""
        request = self.run.request
        uncut: str | list[str]  # the key of the probe, or the keys of the results, on activations that are not cut
        if name == PROBE:
            probe_request = probes.ProbeRequest(
                network=request.front,
                data=request.data,
                train_images=self.train_images,
                eval_images=request.eval_images,
                seed=request.seed,
                precision=request.precision,
            )
            uncut = probes.key(probe_request, layer)
        else:
            uncut = [result_key(request, name, layer, layer)]
            uncut += [functional_key(request, name, layer, layer)] if name in METHODS else []
        return content_id(
            {
                "what": "ranks",
                "of": uncut,
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
        """Return the keys of all entries (room ``ranks``)."""
        return set(self._keys.values())

    @cached_property
    def _entries(self) -> dict[tuple[str, str], RankEntry]:
        entries = {(name, layer): read(self.run.store, name, key) for (name, layer), key in self._keys.items()}
        return {place: entry for place, entry in entries.items() if entry is not None}

    @property
    def lacking(self) -> list[tuple[str, str]]:
        """List the (name, layer) that are not computed yet."""
        return [place for place in self._keys if place not in self._entries]

    @property
    def complete(self) -> bool:
        """Tell whether everything is computed, except for the run's own values at r = C."""
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
        entry = self._entries.get((name, layer))
        values = entry.values[metric] if entry else [None] * len(self.computed(name, layer))
        return [*values] if name == PROBE else [*values, self.run.value(name, metric, layer, layer)]

    def reasons(self, name: str, metric: str, layer: str) -> list[str]:
        """Say why a number is empty, at each of a layer's `ranks`; for the probe also that it did not converge.

        Args:
            name, metric, layer: as in `curve`.

        Returns:
            an empty text where there is a number, or it is not computed yet.

        Raises:
            UnknownName: there is no such name, metric or layer.
        """
        self._check(name, metric, layer)
        entry = self._entries.get((name, layer))
        reasons = entry.reasons[metric] if entry else [""] * len(self.computed(name, layer))
        return [*reasons] if name == PROBE else [*reasons, self.run.reason(name, metric, layer, layer)]

    def _check(self, name: str, metric: str, layer: str) -> None:
        check_names("method or similarity index of this run", [name], self.names)
        check_names(f"metric of {name}", [metric], metrics(name))
        check_names("layer of this run", [layer], self.layers)
