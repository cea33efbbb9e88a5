"""Describe a suite: the networks that measures are checked on, the settings, and the runs that the checks need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from stitchlab.catalog.checks import CHECKS
from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.methods import METRICS
from stitchlab.catalog.presets import PRESETS
from stitchlab.errors import StitchLabError, check_names
from stitchlab.request import METHODS, DirectMatching, Method, Request, TaskLoss, canonical, content_id, made_of
from stitchlab.results import controls, cut_points, data_sets, networks, recipe
from stitchlab.results.chance import min_permutations
from stitchlab.results.networks import Network
from stitchlab.results.repeating import check_types
from stitchlab.results.resolve import resolve
from stitchlab.results.run import DERIVED, Run
from stitchlab.store import Store

Ends = tuple[str, str]  # ids of a front network and an end network

STITCHED = tuple(name for name in METRICS if name not in DERIVED)  # metrics of stitched networks that are checked
CONTROLS = ("random", "noise")
RECIPE = "quick"  # the default recipe of task loss matching for checks


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Describe a request for checks: networks by their ids, and the resolved settings of all runs.

    ``definitions`` are the versions of the checks and of all definitions that these depend on.
    """

    networks: tuple[str, ...]
    data: str
    methods: tuple[Method, ...]
    indices: tuple[str, ...]
    eval_images: int
    dm: DirectMatching
    tlm: TaskLoss
    seed: int
    null: int
    definitions: dict[str, int] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Return the first sixteen digits of the SHA-256 of the suite's canonical JSON."""
        return content_id(self)[:16]

    @property
    def subjects(self) -> tuple[str, ...]:
        """List the measures that are checked: ``tlm/accuracy``, …, ``cka/similarity``, in the order of tables."""
        return (
            *(f"{method}/{metric}" for method in self.methods for metric in STITCHED),
            *(f"{name}/{INDICES[name].metric}" for name in self.indices),
        )

    @classmethod
    def from_json(cls, value: Any) -> Suite:
        """Read the suite that `canonical` wrote. Raises StitchLabError if it is none, or a newer version's."""
        parts = value if isinstance(value, dict) else {}
        dm, tlm = made_of(DirectMatching, parts.get("dm")), made_of(TaskLoss, parts.get("tlm"))
        suite = made_of(cls, value, dm=dm, tlm=tlm)
        check_types(suite, suite.dm, suite.tlm)
        return suite


class Checking:
    """Look up the networks and runs of a suite. Make a new instance to see later results.

    Args:
        store: where everything is.
        suite: the networks and settings.
        names: of the networks, where the store lacks their records, as a .stitch file does: whatever needs a record
            raises UnknownName there.
    """

    def __init__(self, store: Store, suite: Suite, names: Sequence[str] = ()) -> None:
        self.store, self.suite = store, suite
        self.names = list(names) or [network.name for network in self.networks]

    def __repr__(self) -> str:
        """Say what it is: ``<Checking 3b5178d218de1b9a: digits-a, digits-b>``."""
        return f"<Checking {self.suite.id}: {self.title}>"

    @property
    def title(self) -> str:
        """Name the networks, for people."""
        return ", ".join(self.names)

    @cached_property
    def networks(self) -> list[Network]:
        """Read the records of the networks, in the order of the suite. Raises UnknownName."""
        return [networks.find(self.store, network) for network in self.suite.networks]

    @property
    def recipe(self) -> str:
        """Name the recipe of task loss matching."""
        data = data_sets.of_fingerprint(self.store, self.suite.data)
        return "own" if data is None else recipe.named(self.suite.tlm, data.name, data.shape)

    def run(self, front: str, end: str, **changes: Any) -> Run:
        """Return the run of two networks; a draft if its control is not made yet.

        Args:
            front, end: ids of networks; the front may also be a control's name.
            changes: settings that differ from the suite's, arguments of `stitchlab.results.resolve.resolve`.

        Raises NotFoundYet where cut points are not known yet.
        """
        suite = self.suite
        settings: dict[str, Any] = {
            "data": suite.data,
            "methods": suite.methods,
            "indices": suite.indices,
            "tlm": suite.tlm,
            "dm_images": suite.dm.images,
            "eval_images": suite.eval_images,
            "seed": suite.seed,
        }
        return resolve(self.store, front, end, **(settings | changes))

    @cached_property
    def within(self) -> dict[Ends, Run]:
        """Return the runs of each network with itself."""
        return {(n, n): self.run(n, n) for n in self.suite.networks}

    @cached_property
    def across(self) -> dict[Ends, Run]:
        """Return the runs of all ordered pairs of networks."""
        return {(f, g): self.run(f, g) for g in self.suite.networks for f in self.suite.networks if f != g}

    @cached_property
    def controls(self) -> dict[tuple[str, str], Run]:
        """Return the runs with untrained networks and noise as fronts, by the kind of control and the end network."""
        return {
            (kind, network.id): self.run(
                controls.NOISE if kind == "noise" else controls.RANDOM + network.name, network.id
            )
            for network in self.networks
            for kind in CONTROLS
        }

    @cached_property
    def next(self) -> dict[Ends, Run]:
        """Return the runs of each network into the next one with the same layers, the last into the first.

        A network that shares its layers with no other goes into itself. The longest work is done on these runs only.
        """
        runs: dict[Ends, Run] = {}
        for group in self.alike:
            for k, front in enumerate(group):
                end = group[(k + 1) % len(group)]
                runs[front, end] = (self.within if front == end else self.across)[front, end]
        return runs

    @cached_property
    def alike(self) -> list[list[str]]:
        """Group the networks (ids) that have the same layers, with equal shapes; a single network is a group, too."""
        groups: dict[str, list[str]] = {}
        for network in self.suite.networks:
            request = self.within[network, network].request
            layers = canonical([request.end_layers, layer_shapes(self.store, network, request.end_layers)])
            groups.setdefault(layers, []).append(network)
        return list(groups.values())

    @cached_property
    def same_layers(self) -> dict[Ends, Run]:
        """Return those of the runs `across` whose networks have the same layers."""
        return {(f, g): self.across[f, g] for group in self.alike for g in group for f in group if f != g}

    @cached_property
    def fewer(self) -> dict[Ends, Run]:
        """Return the runs of each network into the `next` by direct matching alone, on half of its training images."""
        half = max(1, self.suite.dm.images // 2)
        return (
            {ends: self.run(*ends, methods=("dm",), indices=(), dm_images=half) for ends in self.next}
            if "dm" in self.suite.methods
            else {}
        )

    @cached_property
    def nulls(self) -> dict[Ends, Run]:
        """Return the runs of each network into the `next` that compute null distributions of the indices."""
        return (
            {ends: self.run(*ends, methods=(), null=self.suite.null) for ends in self.next}
            if self.suite.indices and self.suite.null
            else {}
        )


def layer_shapes(store: Store, network: str, layers: Sequence[str]) -> list[tuple[int, ...]]:
    """Return the shapes of one image's activations at layers.

    Args:
        store, network, layers: the id of a network in the store, and names of its cut points.

    Returns:
        (C, H, W), (T, D), … for each layer; empty if the cut points are not known yet.
    """
    cuts = cut_points.kept(store, network)
    return [] if cuts is None else [cuts.find(layer).shape for layer in layers]


def find(
    store: Store,
    names: Sequence[str],
    *,
    data: str | None = None,
    methods: Sequence[Method] = METHODS,
    indices: Sequence[str] = tuple(INDICES),
    tlm: TaskLoss = PRESETS[RECIPE],
    dm_images: int = 100,
    eval_images: int | None = None,
    null: int | None = None,
    seed: int = 0,
) -> Checking:
    """Look up the suite of some networks and settings, and its runs; nothing is made or written.

    Args:
        store, names: where networks are, and the names or ids of some of them, each once.
        data: name or fingerprint of data used with this store; default: the first network's own data.
        methods, indices, tlm, dm_images, eval_images, seed: as in `stitchlab.results.resolve.resolve`.
        null: permutations of the null; default: `stitchlab.results.chance.min_permutations` for the number of layers.

    Raises:
        StitchLabError: something does not exist or does not fit; the message says what to do.
        NotFoundYet: the cut points of a network are not known yet.
    """
    chosen = _different(store, names)
    check_names("method", methods, METHODS)
    check_names("similarity index", indices, INDICES)
    run = resolve(
        store,
        chosen[0].id,
        chosen[0].id,
        data=data or chosen[0].data_fingerprint,
        methods=methods,
        indices=indices,
        tlm=tlm,
        dm_images=dm_images,
        eval_images=eval_images,
        seed=seed,
    )
    return Checking(store, _suite(chosen, run.request, null))


def _different(store: Store, names: Sequence[str]) -> list[Network]:
    """Find the networks with these names or ids. Raises StitchLabError for no names, or a network named twice."""
    chosen = [networks.find(store, name) for name in names]
    if not chosen:
        raise StitchLabError("checks need one network or more; `networks` lists them, `train` makes some")
    twice = next((n.name for k, n in enumerate(chosen) if n.id in {m.id for m in chosen[:k]}), None)
    if twice is not None:
        raise StitchLabError(
            f"{twice} was named twice, or under two names: checks compare different networks; name each once"
        )
    return chosen


def _suite(chosen: Sequence[Network], request: Request, null: int | None) -> Suite:
    """Make the suite of these networks; its other settings are those of a request of the first network with itself."""
    permutations = min_permutations(len(request.end_layers)) if null is None else null
    return Suite(
        networks=tuple(network.id for network in chosen),
        data=request.data,
        methods=request.methods,
        indices=request.indices,
        eval_images=request.eval_images,
        dm=request.dm,
        tlm=request.tlm,
        seed=request.seed,
        null=permutations if request.indices else 0,
        definitions=request.definitions | {f"check {name}": check.version for name, check in CHECKS.items()},
    )


def wanted(checking: Checking) -> dict[str, Any]:
    """Return the arguments of `find`, as JSON (`stitchlab.results.records.SuiteArguments`), that lead to this suite."""
    suite = checking.suite
    return {
        "names": list(suite.networks),
        "data": suite.data,
        "methods": list(suite.methods),
        "indices": list(suite.indices),
        "tlm": asdict(suite.tlm),
        "dm_images": suite.dm.images,
        "eval_images": suite.eval_images,
        "null": suite.null,
        "seed": suite.seed,
    }


def suite_of(store: Store, what: Mapping[str, Any]) -> Checking:
    """Look up the suite with these arguments of `find`, as JSON (`wanted`). Raises as `find`."""
    return find(store, **{**what, "tlm": TaskLoss(**what["tlm"])})
