"""Represent what is asked for: requests as frozen data classes, and their canonical JSON.

A request's SHA-256 is its identity; nothing here computes, reads or draws. Two requests that mean the same have the
same JSON, so the defaults that depend on the data (all layers, all test images) are resolved before a request is made.
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
Targets = Literal["labels", "soft"]  #: of task loss matching: soft ones are the end network's own outputs
Init = Literal["default", "dm"]  #: where it starts: PyTorch's initialisation, or the map of direct matching
AugmentationName = Literal["none", "crop", "flip-crop", "affine", "resized-crop"]
Precision = Literal["fp32"]

# The version of each computation's definition. Raise one when the same request would give other numbers:
# results kept under the old definition are then simply not found.
# (An index has its version in its catalog entry. `input` is how images become the input of a network, `soap` the
# steps of that optimiser: since version 2 they are computed in float64, map by map. `functional` are the metrics of a
# stitched network's predictions beside the end network's.)
DEFINITIONS = {"dm": 1, "tlm": 1, "evaluation": 1, "functional": 1, "input": 2, "soap": 2}
#: Definitions that came later than requests did: a request names them from their second version on, and not before.
SINCE_2 = ("functional", "input", "soap")

METHODS: tuple[Method, ...] = get_args(Method)
NULL = "null:"  # before an index's name: its permutation null, which is a result of its own
LEAST_PERMUTATIONS = 25  # below which no p-value falls under .05 with anything to spare
TARGETS: tuple[Targets, ...] = get_args(Targets)
INITS: tuple[Init, ...] = get_args(Init)
AUTO: Literal["auto"] = (
    "auto"  # the augmentation that a data set usually has: named when a request is made, never in one
)
AUGMENTATION_NAMES: tuple[AugmentationName, ...] = get_args(AugmentationName)
#: Indices look at the first min(1000, M) evaluation images; those of averages over positions look at all M.
INDEX_IMAGES = 1000
FIT_IMAGES = 10_000  # detectors are fitted on at most so many of the first four fifths of the training permutation
PRECISION: Precision = "fp32"

#: Progress: ``report(what, done)`` is called between steps, ``done`` in 0..1. It may raise `Cancelled` to stop.
Report = Callable[[str, float], None]


def no_report(what: str, done: float) -> None:
    """Ignore progress: the default callback where nobody watches."""


def portion(report: Report, start: float, share: float) -> Report:
    """Return a callback that reports the progress of one part of the work as progress of the whole.

    Args:
        report: told the progress of the whole.
        start: where the part begins, 0..1 of the whole.
        share: how much of the whole it is, 0..1.

    Returns:
        the callback for the part: its 0..1 becomes ``start`` .. ``start + share``.
    """
    return lambda what, done: report(what, start + share * done)


def method_of(name: str) -> Method:
    """Return the method of this name, as a method. Raises UnknownName."""
    if name not in METHODS:
        raise UnknownName("method", name, METHODS)
    return name


def plain(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass as a dictionary for JSON.

    Fields that were added later (metadata ``later``) are left out at their default: requests from before stay the same.
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
    """Return the seed, if PyTorch and NumPy accept it. Raises StitchLabError."""
    if not 0 <= seed < 2**32:
        raise StitchLabError(f"expected a seed from 0 to {2**32 - 1}, got {seed}")
    return seed


def derived_seed(*parts: Any) -> int:
    """Derive a 63-bit seed from its parts alone: it is the same on every machine and in any order of work."""
    return int(content_id(list(parts))[:16], 16) >> 1


@dataclass(frozen=True, kw_only=True)
class DirectMatching:
    """Hold the settings of direct matching: least squares on ``images`` un-augmented training images (K)."""

    images: int = 100


@dataclass(frozen=True, kw_only=True)
class TaskLoss:
    """Hold the settings of task loss matching; defaults are the paper's, but without augmentation (preset ``plain``).

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
        for what, value in (("epochs", self.epochs), ("batch", self.batch), ("training images", self.images)):
            if value is not None and type(value) is not int:
                raise StitchLabError(f"TLM's {what}: expected a whole number, got {value!r}")
            if value is not None and value < 1:
                raise StitchLabError(f"TLM's {what}: expected 1 or more, got {value}")
        if not (0 < self.lr < math.inf and 0 <= self.weight_decay < math.inf):
            raise StitchLabError(
                "TLM's learning rate must be above 0 and its weight decay 0 or more; "
                f"got {self.lr} and {self.weight_decay}"
            )


@dataclass(frozen=True, kw_only=True)
class Detection:
    """Hold the settings of detectors: known outliers to recognise, and those that the learned detector trains on.

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
    """Describe a comparison: what to stitch, on what data and how. Networks and data are given by fingerprints.

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
        """Name what is computed for each cell: methods, indices, and null distributions of the indices (`NULL`)."""
        return (*self.methods, *self.indices, *(NULL + name for name in self.indices if self.null))

    @property
    def cells(self) -> list[Cell]:
        """List all (front layer, end layer) pairs, column by column."""
        return [(i, j) for j in self.end_layers for i in self.front_layers]

    @classmethod
    def from_json(cls, value: Any) -> Request:
        """Read a request that `canonical` wrote. Raises StitchLabError if it is none, or a newer version's."""
        parts = value if isinstance(value, dict) else {}
        return made_of(cls, value, dm=made_of(DirectMatching, parts.get("dm")), tlm=made_of(TaskLoss, parts.get("tlm")))


def made_of(kind: type[Made], value: Any, **parts: Any) -> Made:
    """Rebuild a dataclass from the JSON object that `plain` made of it.

    Args:
        kind: the dataclass.
        value: the parsed JSON; lists become tuples.
        parts: fields that were rebuilt already, which replace those in ``value``.

    Raises:
        StitchLabError: it is no such object, or a field is unknown or missing.
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
    except TypeError as error:  # something is missing, or no number
        raise StitchLabError(f"this is not a request that StitchLab wrote ({error})") from error


def named(versions: dict[str, int]) -> dict[str, int]:
    """Keep the versions of definitions that a request states: later ones only from their second version on.

    >>> named({"dm": 1, "functional": 1, "soap": 2})
    {'dm': 1, 'soap': 2}
    """
    return {name: version for name, version in versions.items() if version != 1 or name not in SINCE_2}
