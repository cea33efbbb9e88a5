"""What is asked: requests as frozen data, their canonical JSON, and the keys that results are kept under.

A request's SHA-256 is its identity; nothing here computes, reads or draws. Two requests that mean the same have the
same JSON, so the defaults that depend on the data (all layers, all test images) are resolved before a request is made.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar

from stitchlab.errors import StitchLabError, check_names

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Made = TypeVar("Made", bound="DataclassInstance")

# The version of each computation's definition. Raise one when the same request would give other numbers:
# results kept under the old definition are then simply not found.
# (An index has its version in its catalog entry. `input` is how images become the input of a network, `soap` the
# steps of that optimiser: since version 2 they are computed in float64, map by map. `functional` are the metrics of a
# stitched network's predictions beside the end network's.)
DEFINITIONS = {"dm": 1, "tlm": 1, "evaluation": 1, "functional": 1, "input": 2, "soap": 2}
#: Definitions that came later than requests did: a request names them from their second version on, and not before.
SINCE_2 = ("functional", "input", "soap")

METHODS = ("tlm", "dm")
NULL = "null:"  # before an index's name: its permutation null, which is a result of its own
NULL_VERSION = 1  # of how nulls are drawn and computed
LEAST_PERMUTATIONS = 25  # below which no p-value falls under .05 with anything to spare
TARGETS = ("labels", "soft")  # of task loss matching: soft ones are the end network's own outputs
INITS = ("default", "dm")  # where it starts: PyTorch's initialisation, or the map of direct matching
AUTO = "auto"  # the augmentation that a data set usually has: named when a request is made, never in one
AUGMENTATION_NAMES = ("none", "crop", "flip-crop", "affine", "resized-crop")
#: Indices look at the first min(1000, M) evaluation images; those of averages over positions look at all M.
INDEX_IMAGES = 1000
FIT_IMAGES = 10_000  # detectors are fitted on at most so many of the first four fifths of the training permutation
OUTLIER_IMAGES = 1000  # known outliers are made from the first min(1000, M) evaluation images
PRECISION = "fp32"

#: Progress: ``report(what, done)`` is called between steps, ``done`` in 0..1. It may raise `Cancelled` to stop.
Report = Callable[[str, float], None]


def no_report(what: str, done: float) -> None:
    """The callback of somebody who does not want to know."""


def portion(report: Report, start: float, share: float) -> Report:
    """A report for a part of the work: its 0..1 becomes ``start`` .. ``start + share`` of the whole."""
    return lambda what, done: report(what, start + share * done)


def plain(value: Any) -> dict[str, Any]:
    """A dataclass as an object.

    Fields that were added later (metadata ``later``) are left out at their default: requests from before stay the same.
    """
    return {f.name: getattr(value, f.name) for f in fields(value)
            if not (f.metadata.get("later") and getattr(value, f.name) == f.default)}


def canonical(value: Any) -> str:
    """The one JSON text of a value: sorted keys, no spaces, no NaN. Dataclasses count as objects, tuples as lists.

    >>> canonical({"b": (1, 2), "a": 0.5})
    '{"a":0.5,"b":[1,2]}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=plain)


def content_id(value: Any) -> str:
    """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def checked_seed(seed: int) -> int:
    """The seed, if PyTorch and NumPy can take it. Raises StitchLabError."""
    if not 0 <= seed < 2**32:
        raise StitchLabError(f"a seed is a whole number from 0 to {2**32 - 1}; {seed} came")
    return seed


def derived_seed(*parts: Any) -> int:
    """A 63-bit seed from its parts alone, the same on every machine: whatever runs beside it cannot change it."""
    return int(content_id(list(parts))[:16], 16) >> 1


@dataclass(frozen=True, kw_only=True)
class DirectMatching:
    """Settings of direct matching: least squares on ``images`` un-augmented training images (the paper's K)."""

    images: int = 100


@dataclass(frozen=True, kw_only=True)
class TaskLoss:
    """Settings of task loss matching. The defaults are the paper's recipe but for its augmentation (preset ``plain``).

    ``schedule`` is ``constant`` or ``one-cycle``; ``targets`` are ``labels`` or ``soft`` (the end network's own
    outputs, Csiszárik et al. 2021); ``init`` is PyTorch's ``default`` or the map that direct matching finds (``dm``);
    ``augment`` is how training images are augmented (`stitchlab.catalog.augmentations`), where ``auto``, the data set's
    usual way, is resolved when a request is made; ``images`` are the first so many of the training split's permutation,
    None all of them; ``optimiser`` is ``adam`` or ``soap`` (`stitchlab.stitch.soap`), whose ``lr`` in a cycle is that
    of 500 steps.
    """

    epochs: int = 30
    lr: float = 1e-3
    weight_decay: float = 1e-5
    batch: int = 256
    schedule: str = "constant"
    targets: str = "labels"
    init: str = "default"
    optimiser: str = field(default="adam", metadata={"later": True})
    augment: str = field(default="none", metadata={"later": True})
    images: int | None = field(default=None, metadata={"later": True})

    def __post_init__(self) -> None:
        check_names("optimiser", [self.optimiser], ("adam", "soap"))
        check_names("schedule", [self.schedule], ("constant", "one-cycle"))
        check_names("TLM targets", [self.targets], TARGETS)
        check_names("TLM initialisation", [self.init], INITS)
        check_names("augmentation", [self.augment], (AUTO, *AUGMENTATION_NAMES))
        for what, value in (("epochs", self.epochs), ("batch", self.batch), ("training images", self.images)):
            if value is not None and type(value) is not int:
                raise StitchLabError(f"TLM's {what}: a whole number was expected, got {value!r}")
            if value is not None and value < 1:
                raise StitchLabError(f"TLM's {what}: 1 or more was expected; {value} came")
        if not (0 < self.lr < math.inf and 0 <= self.weight_decay < math.inf):
            raise StitchLabError(
                "TLM's learning rate must be above 0 and its weight decay 0 or more; "
                f"{self.lr} and {self.weight_decay} came"
            )


@dataclass(frozen=True, kw_only=True)
class Detection:
    """Settings of the detectors: which known outliers they have to recognise, and which the learned one trains on.

    Each is a kind of `stitchlab.catalog.outliers`, or ``data:FINGERPRINT`` for another data set: its test images where
    they have to be recognised, its training images to learn from.
    """

    outliers: str = "noise"
    training_outliers: tuple[str, ...] = ("patches", "blur", "constant")

    def __post_init__(self) -> None:
        if not self.training_outliers:
            raise StitchLabError("the learned detector needs a kind of outliers to be fine-tuned on; none was named")


@dataclass(frozen=True, kw_only=True)
class Request:
    """A grid: what to stitch, on what, how. Networks and data are named by their fingerprints.

    Rows are ``front_layers``, columns ``end_layers``, both in network order. ``eval_images`` is M, already resolved
    to a number; ``null`` is how many permutations of images tell what the indices say by chance, 0 none;
    ``definitions`` are the versions of the definitions it uses. Make one with `stitchlab.results.resolve.resolve`,
    which checks it against the records of networks and data.
    """

    front: str
    end: str
    data: str
    front_layers: tuple[str, ...]
    end_layers: tuple[str, ...]
    eval_images: int
    methods: tuple[str, ...] = METHODS
    indices: tuple[str, ...] = ()
    dm: DirectMatching = DirectMatching()
    tlm: TaskLoss = TaskLoss()
    seed: int = 0
    precision: str = PRECISION
    null: int = field(default=0, metadata={"later": True})
    definitions: dict[str, int] = field(default_factory=lambda: named(DEFINITIONS))

    def __post_init__(self) -> None:
        if self.tlm.augment == AUTO:
            raise StitchLabError(f"a request's augmentation: expected one of {', '.join(AUGMENTATION_NAMES)}, got "
                                 f"{AUTO!r}; `stitchlab.results.resolve.resolve` makes requests and names it")

    @property
    def id(self) -> str:
        """The run's id: the request's SHA-256. Sixteen digits of it serve as its name."""
        return content_id(self)[:16]

    @property
    def results(self) -> tuple[str, ...]:
        """Names of what is computed of each cell: methods, indices, and nulls of the indices (`NULL`)."""
        return (*self.methods, *self.indices, *(NULL + name for name in self.indices if self.null))

    @property
    def cells(self) -> list[tuple[str, str]]:
        """All (front layer, end layer) pairs, column by column."""
        return [(i, j) for j in self.end_layers for i in self.front_layers]

    @classmethod
    def from_json(cls, value: Any) -> Request:
        """The request that `canonical` wrote. Raises StitchLabError where it is none, or a newer version's."""
        parts = value if isinstance(value, dict) else {}
        return _of(cls, value, dm=_of(DirectMatching, parts.get("dm")), tlm=_of(TaskLoss, parts.get("tlm")))


def _of(kind: type[Made], value: Any, **parts: Any) -> Made:
    """The dataclass that `plain` made an object of, some of its fields made already. Raises StitchLabError."""
    if not isinstance(value, dict):
        raise StitchLabError(f"the settings of a {kind.__name__} were expected; got {canonical(value)[:60]}")
    if unknown := set(value) - {f.name for f in fields(kind)}:
        raise StitchLabError(f"this request has fields that StitchLab does not know: {', '.join(sorted(unknown))}; "
                             "a newer version made it")
    try:
        return kind(**{name: tuple(v) if isinstance(v, list) else v for name, v in value.items()} | parts)
    except TypeError as error:  # something is missing, or no number
        raise StitchLabError(f"this is no request that StitchLab made ({error})") from error


def map_key(request: Request, method: str, front_layer: str, end_layer: str) -> str:
    """The key of a cell's map (W, b): everything that fitting it depends on, the evaluation images not among it."""
    settings: dict[str, Any] = plain(request.dm if method == "dm" else request.tlm)
    if method == "tlm" and request.tlm.init == "dm":
        settings["dm"] = [request.dm, request.definitions["dm"]]
    if method == "tlm" and request.tlm.optimiser == "soap":
        settings |= _since_2(request, "soap")
    return content_id(cell_of(request, front_layer, end_layer) | {
        "what": "map", "method": method, "settings": settings, "version": request.definitions[method],
    })


def cell_key(request: Request, method: str, front_layer: str, end_layer: str) -> str:
    """The key of the evaluation of a cell's map on the first M test images."""
    return content_id({
        "what": "cell", "map": map_key(request, method, front_layer, end_layer),
        "images": request.eval_images, "version": request.definitions["evaluation"],
    })


def functional_key(request: Request, method: str, front_layer: str, end_layer: str) -> str:
    """The key of the functional metrics of a cell's map on the first M test images."""
    return content_id({
        "what": "functional", "map": map_key(request, method, front_layer, end_layer),
        "images": request.eval_images, "version": request.definitions.get("functional", 1),
    })


def accuracy_key(request: Request, network: str) -> str:
    """The key of a whole network's own accuracy on the same evaluation images."""
    return content_id({
        **_since_2(request, "input"), "what": "accuracy", "network": network, "data": request.data,
        "images": request.eval_images, "seed": request.seed, "precision": request.precision,
        "version": request.definitions["evaluation"],
    })


def native_key(request: Request, end_layer: str) -> str:
    """The key of the native side of an end layer: whatever front network is stitched to it."""
    return content_id({
        **_since_2(request, "input"), "what": "native", "end": request.end, "end_layer": end_layer,
        "data": request.data, "seed": request.seed, "images": request.eval_images, "precision": request.precision,
        "version": request.definitions["evaluation"],
    })


def verdict_key(subject: str, name: str, version: int, settings: Any) -> str:
    """The key of what a detector says about a subject: a cell's (`cell_key`), or `native_key`, which it begins with."""
    return f"{subject}-{content_id([name, version, FIT_IMAGES, settings])[:16]}"


def cell_of(request: Request, front_layer: str, end_layer: str) -> dict[str, Any]:
    """What every key of a cell's results says: both networks and layers, the data, and how images become input."""
    return _since_2(request, "input") | {
        "front": request.front, "end": request.end, "front_layer": front_layer, "end_layer": end_layer,
        "data": request.data, "seed": request.seed, "precision": request.precision,
    }


def named(versions: dict[str, int]) -> dict[str, int]:
    """Those of these versions of definitions that a request names: the others are what they were from the start.

    >>> named({"dm": 1, "functional": 1, "soap": 2})
    {'dm': 1, 'soap': 2}
    """
    return {name: version for name, version in versions.items() if version != 1 or name not in SINCE_2}


def _since_2(request: Request, name: str) -> dict[str, int]:
    """The version of a definition that requests name from its second version on, and not before."""
    version = request.definitions.get(name, 1)
    return {} if version == 1 else {name: version}
