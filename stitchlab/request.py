"""Represent comparisons that users ask for: requests as frozen data classes, and their canonical JSON.

A request is identified by the SHA-256 of its JSON. Two requests that mean the same must have the same JSON; therefore
defaults that depend on the data (all layers, all test images) are resolved before a request is made. Nothing here
computes, reads files or draws.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from stitchlab.errors import StitchLabError, UnknownName, check_names

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Made = TypeVar("Made", bound="DataclassInstance")

Cell = tuple[str, str]  #: (front layer, end layer)
Method = Literal["tlm", "dm"]  #: how a stitch is found: task loss matching or direct matching
Optimiser = Literal["adam", "soap"]
Schedule = Literal["constant", "one-cycle"]
Targets = Literal["labels", "soft"]  #: of task loss matching: labels, or the end network's own outputs (soft)
Init = Literal["default", "dm"]  #: of task loss matching: PyTorch's initialisation, or the stitch of direct matching
AugmentationName = Literal["none", "crop", "flip-crop", "affine", "resized-crop"]
Precision = Literal["fp32"]

# The version of each computation's definition. Increase it when the same request would give other numbers: results that
# are kept under the old version are then not found any more.
# (The version of an index is in its catalog entry. `input` is how images become the input of a network. `soap` are the
# steps of that optimiser, which are computed in float64, map by map, since version 2. `functional` are the metrics that
# compare the predictions of the stitched network and the end network.)
DEFINITIONS = {"dm": 1, "tlm": 1, "evaluation": 1, "functional": 1, "input": 2, "soap": 2}
#: Definitions that are younger than the first requests: a request names them only from their second version on.
NAMED_FROM_VERSION_2 = ("functional", "input", "soap")

METHODS: tuple[Method, ...] = get_args(Method)
NULL = "null:"  # this before an index's name is the name of its permutation null, which is a result of its own
MIN_PERMUTATIONS = 25  # with fewer, hardly any p-value can be below 0.05
TARGETS: tuple[Targets, ...] = get_args(Targets)
INITS: tuple[Init, ...] = get_args(Init)
#: The augmentation that is usual for a data set. A request never has it: it names the augmentation itself.
AUTO: Literal["auto"] = "auto"
AUGMENTATION_NAMES: tuple[AugmentationName, ...] = get_args(AugmentationName)
#: Indices use the first min(1000, M) evaluation images; those of averages over positions use all M.
INDEX_IMAGES = 1000
#: Detectors are fitted on at most so many images, from the first four fifths of the training permutation.
MAX_DETECTOR_FIT_IMAGES = 10_000
PRECISION: Precision = "fp32"

#: Progress: ``report(what, done)`` is called between steps, ``done`` in 0..1. It may raise `Cancelled` to stop.
Report = Callable[[str, float], None]


def no_report(what: str, done: float) -> None:
    """Ignore progress: the default callback."""


def portion(report: Report, start: float, share: float) -> Report:
    """Return a callback that reports the progress of one part of the work as progress of all the work.

    Args:
        report: receives the progress of all the work.
        start: how much of the work is done when the part begins, 0..1.
        share: what share of the work the part is, 0..1.

    Returns:
        the callback for the part: 0..1 becomes ``start`` .. ``start + share``.
    """
    return lambda what, done: report(what, start + share * done)


def method_of(name: str) -> Method:
    """Return the name of a method with the type `Method`. Raises UnknownName."""
    if name not in METHODS:
        raise UnknownName("method", name, METHODS)
    return name


def plain(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass as a dictionary for JSON.

    Fields that were added later (metadata ``later``) are left out if they have their default, so that older requests
    keep their JSON.
    """
    return {
        f.name: getattr(value, f.name)
        for f in fields(value)
        if not (f.metadata.get("later") and getattr(value, f.name) == f.default)
    }


def canonical(value: Any) -> str:
    """Write a value as its one canonical JSON text: sorted keys, no spaces, no NaN; dataclasses become objects.

    >>> canonical({"b": (1, 2), "a": 0.5})
    '{"a":0.5,"b":[1,2]}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=plain)


def content_id(value: Any) -> str:
    """Return the SHA-256 of a value's canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def checked_seed(seed: int) -> int:
    """Return the seed if PyTorch and NumPy accept it. Raises StitchLabError."""
    if not 0 <= seed < 2**32:
        raise StitchLabError(f"expected a seed from 0 to {2**32 - 1}, got {seed}")
    return seed


def derived_seed(*parts: Any) -> int:
    """Derive a 63-bit seed from these parts alone: it is the same on every machine and in any order of work."""
    return int(content_id(list(parts))[:16], 16) >> 1


@dataclass(frozen=True, kw_only=True)
class DirectMatching:
    """Hold the settings of direct matching: least squares on ``images`` (K) training images, without augmentation."""

    images: int = 100


@dataclass(frozen=True, kw_only=True)
class TaskLoss:
    """Hold the settings of task loss matching; defaults are the paper's, but without augmentation (preset ``plain``).

    Attributes:
        epochs, weight_decay, batch: of the optimiser.
        lr: the learning rate; with ``soap`` and ``one-cycle``, that of a cycle of 500 steps.
        schedule: of the learning rate.
        targets: labels, or the end network's own outputs (``soft``, Csiszárik et al. 2021).
        init: PyTorch's ``default``, or the stitch that direct matching finds (``dm``).
        optimiser: ``adam``, or ``soap`` (`stitchlab.stitch.soap`).
        augment: how training images are augmented (`stitchlab.catalog.augmentations`); ``auto``, as is usual for the
            data set, is resolved when a request is made.
        images: the stitch is trained on the first so many of the training split's permutation; None: on all of them.
    """

    epochs: int = 30
    lr: float = 1e-3
    weight_decay: float = 1e-5
    batch: int = 256
    schedule: Schedule = "constant"
    targets: Targets = "labels"
    init: Init = "default"
    optimiser: Optimiser = field(default="adam", metadata={"later": True})
    augment: AugmentationName | Literal["auto"] = field(default="none", metadata={"later": True})
    images: int | None = field(default=None, metadata={"later": True})

    def __post_init__(self) -> None:
        check_names("optimiser", [self.optimiser], get_args(Optimiser))
        check_names("schedule", [self.schedule], get_args(Schedule))
        check_names("TLM targets", [self.targets], TARGETS)
        check_names("TLM initialisation", [self.init], INITS)
        check_names("augmentation", [self.augment], (AUTO, *AUGMENTATION_NAMES))
        for setting, value in (("epochs", self.epochs), ("batch", self.batch), ("training images", self.images)):
            if value is not None and type(value) is not int:
                raise StitchLabError(f"TLM's {setting}: expected a whole number, got {value!r}")
            if value is not None and value < 1:
                raise StitchLabError(f"TLM's {setting}: expected 1 or more, got {value}")
        if not (0 < self.lr < math.inf and 0 <= self.weight_decay < math.inf):
            raise StitchLabError(
                "TLM's learning rate must be above 0 and its weight decay 0 or more; "
                f"got {self.lr} and {self.weight_decay}"
            )


@dataclass(frozen=True, kw_only=True)
class Detection:
    """Hold the settings of detectors.

    Outliers are a kind of `stitchlab.catalog.outliers`, or ``data:FINGERPRINT`` for another data set.

    Attributes:
        outliers: the known outliers that detectors have to reject; of another data set, its test images.
        training_outliers: those on which the learned detector is fine-tuned; of another data set, its training images.
    """

    outliers: str = "noise"
    training_outliers: tuple[str, ...] = ("patches", "blur", "constant")

    def __post_init__(self) -> None:
        if not self.training_outliers:
            raise StitchLabError("the learned detector needs a kind of outliers to be fine-tuned on; none was named")


@dataclass(frozen=True, kw_only=True)
class Request:
    """Describe a comparison of two networks: what to stitch, on which data and how.

    `stitchlab.results.resolve.resolve` makes requests; it checks them against the records of networks and data.

    Attributes:
        front, end: the ids of the networks.
        data: the fingerprint of the data.
        front_layers, end_layers: the rows and columns of the grid, both in network order.
        eval_images: the number of evaluation images, M.
        methods, indices: by name.
        dm, tlm: the settings of the methods.
        seed: from which everything random is drawn.
        precision: in which networks compute.
        null: the number of permutations of images from which the indices' nulls are computed; 0: no nulls.
        definitions: the versions of the definitions that it uses.
    """

    front: str
    end: str
    data: str
    front_layers: tuple[str, ...]
    end_layers: tuple[str, ...]
    eval_images: int
    methods: tuple[Method, ...] = METHODS
    indices: tuple[str, ...] = ()
    dm: DirectMatching = DirectMatching()
    tlm: TaskLoss = TaskLoss()
    seed: int = 0
    precision: Precision = PRECISION
    null: int = field(default=0, metadata={"later": True})
    definitions: dict[str, int] = field(default_factory=lambda: named(DEFINITIONS))

    def __post_init__(self) -> None:
        if self.tlm.augment == AUTO:
            raise StitchLabError(
                f"a request's augmentation: expected one of {', '.join(AUGMENTATION_NAMES)}, got "
                f"{AUTO!r}; `stitchlab.results.resolve.resolve` makes requests and names it"
            )

    @property
    def id(self) -> str:
        """Return the run's id: the first sixteen digits of the request's SHA-256."""
        return content_id(self)[:16]

    @property
    def results(self) -> tuple[str, ...]:
        """Return the names of what is computed for each cell: methods, indices and the indices' nulls (`NULL`)."""
        return (*self.methods, *self.indices, *(NULL + name for name in self.indices if self.null))

    @property
    def cells(self) -> list[Cell]:
        """List all (front layer, end layer) pairs, column by column."""
        return [(i, j) for j in self.end_layers for i in self.front_layers]

    @classmethod
    def from_json(cls, value: Any) -> Request:
        """Read a request that `canonical` wrote. Raises StitchLabError if it is not one, or a newer version's."""
        parts = value if isinstance(value, dict) else {}
        return made_of(cls, value, dm=made_of(DirectMatching, parts.get("dm")), tlm=made_of(TaskLoss, parts.get("tlm")))


def made_of(kind: type[Made], value: Any, **parts: Any) -> Made:
    """Rebuild a dataclass from the JSON object that `plain` made of it.

    Args:
        kind: the dataclass.
        value: the parsed JSON; lists become tuples.
        parts: fields that were rebuilt already, which replace those in ``value``.

    Raises:
        StitchLabError: the JSON is not such an object, or a field is unknown or missing.
    """
    if not isinstance(value, dict):
        raise StitchLabError(f"expected the settings of a {kind.__name__}, got {canonical(value)[:60]}")
    if unknown := set(value) - {f.name for f in fields(kind)}:
        raise StitchLabError(
            f"this request has fields that StitchLab does not know: {', '.join(sorted(unknown))}; "
            "a newer version made it"
        )
    try:
        return kind(**{name: tuple(v) if isinstance(v, list) else v for name, v in value.items()} | parts)
    except TypeError as error:  # a field is missing, or not a number
        raise StitchLabError(f"this is not a request that StitchLab wrote ({error})") from error


def named(versions: dict[str, int]) -> dict[str, int]:
    """Return those versions of definitions that a request names: younger ones only from their second version on.

    >>> named({"dm": 1, "functional": 1, "soap": 2})
    {'dm': 1, 'soap': 2}
    """
    return {name: version for name, version in versions.items() if version != 1 or name not in NAMED_FROM_VERSION_2}
