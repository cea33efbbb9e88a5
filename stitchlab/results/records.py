"""Type what the store keeps as JSON, record by record, and read it: the values themselves are passed on unchanged.

Each class names the fields of one kind of record: `RunJson` those of a run, `CellEntry` those of a result of a cell. A
store checks the checksum of every record that it reads, so the casts here are safe: StitchLab wrote the record. Records
of older versions may have fewer fields: these fields are `NotRequired`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict, cast, get_args

from stitchlab.store import Store

Side = Literal["front", "end"]  #: which of a run's two networks
SIDES: tuple[Side, ...] = get_args(Side)


class HowComputed(TypedDict, total=False):
    """Say how a result was computed (`stitchlab.models.provenance`): every result has these fields beside its own."""

    seconds: float
    device: str
    threads: int
    computed: str
    versions: dict[str, str]


class CodeJson(TypedDict):
    """Name the file of a user's own code, and its SHA-256."""

    file: str
    sha256: str


class NetworkJson(TypedDict):
    """Describe a network (`stitchlab.results.networks.Network`)."""

    id: str
    name: str
    architecture: str
    options: dict[str, Any]
    classes: Sequence[str]
    channels: int
    size: int
    mean: Sequence[float]
    std: Sequence[float]
    resize: NotRequired[int | None]
    interpolation: NotRequired[str]
    data: str
    data_fingerprint: str
    accuracy: NotRequired[float | None]
    parameters: NotRequired[int]
    seed: NotRequired[int | None]
    origin: dict[str, Any]
    created: NotRequired[str]
    code: NotRequired[CodeJson | None]


class DataJson(TypedDict):
    """Describe the data of a run (`stitchlab.results.data_sets.DataRecord`, without what only a store needs)."""

    name: str
    label: str
    fingerprint: str
    shape: Sequence[int]
    classes: Sequence[str]
    train: int
    test: int


class RunJson(TypedDict):
    """Describe a run without its numbers: the request, both networks, the data, when it was requested, its name."""

    request: dict[str, Any]
    front: NetworkJson
    end: NetworkJson
    data: DataJson
    created: str
    name: NotRequired[str]


class CellEntry(HowComputed, total=False):
    """Hold one result of a cell: a method's, an index's, a null's, or the functional metrics of a method.

    A number is None if it is undefined; ``reason`` or, by number, ``reasons`` say why. ``continued``: some of the
    training was done before, so that ``seconds`` are of the rest.
    """

    accuracy: float | None
    distance: float | None
    similarity: float | None
    null: list[float] | None
    agreement: float | None
    jsd: float | None
    error_consistency: float | None
    reason: str
    reasons: dict[str, str]
    continued: bool


class AccuracyEntry(HowComputed):
    """Hold a network's own accuracy on the evaluation images; None if its logits are not finite."""

    accuracy: float | None


class DetectionEntry(HowComputed, total=False):
    """Hold a detector's result on a set of activations.

    ``metrics`` are (value, low, high) by name, or such by set for the native side of an end layer; ``tensors``:
    whether scores or statistics lie beside it.
    """

    metrics: dict[str, Any]
    reason: str
    tensors: bool


class DetectionSettings(TypedDict):
    """Hold the settings of detectors (`stitchlab.request.Detection`)."""

    outliers: str
    training_outliers: Sequence[str]


class HalvesReason(TypedDict):
    """Say why some half samples of a cell have no value of a metric."""

    metric: str
    front_layer: str
    end_layer: str
    reason: str


class HalvesEntry(HowComputed):
    """Hold what belongs to the half samples of a method or an index, beside their values."""

    name: str
    reasons: list[HalvesReason]


class ProbeEntry(HowComputed):
    """Hold the linear probe of a layer; ``reason``: why a number is None, or that training did not converge."""

    accuracy: float | None
    train_accuracy: float | None
    reason: str


class BaselinesEntry(HowComputed):
    """Hold the numbers to compare probes with: the network's own accuracy, and the share of the largest class.

    ``reason`` says why the accuracy is None.
    """

    accuracy: float | None
    reason: str
    chance: float


class SuiteArguments(TypedDict):
    """Hold the arguments of `stitchlab.results.checks.suite.find` that lead to a suite."""

    names: list[str]
    data: str
    methods: list[str]
    indices: list[str]
    tlm: dict[str, Any]
    dm_images: int
    eval_images: int
    null: int
    seed: int


class SuiteRecord(TypedDict):
    """Describe a suite of checks that was requested; one of a .stitch file holds the ``suite`` itself, too."""

    id: str
    wanted: SuiteArguments
    networks: list[str]
    created: str
    suite: NotRequired[dict[str, Any]]


class AnswerJson(TypedDict):
    """Hold a check's answer for one measure: statistics by name, and evidence for figures."""

    statistics: dict[str, dict[str, Any]]
    evidence: dict[str, Any]


class CheckEntry(HowComputed):
    """Hold a check's answers by measure."""

    answers: dict[str, AnswerJson]


def run_record(record: Mapping[str, Any]) -> RunJson:
    """Type a run's record; its request has been checked, or will be (`stitchlab.request.Request.from_json`)."""
    return cast("RunJson", record)


def network_record(record: Mapping[str, Any]) -> NetworkJson:
    """Type a network's record; `stitchlab.results.networks.Network` checks that it has all fields."""
    return cast("NetworkJson", record)


def cell_entry(store: Store, key: str) -> CellEntry | None:
    """Read a result of a cell; None if it is not computed yet, or damaged."""
    return cast("CellEntry | None", store.intact("cells", key))


def accuracy_entry(store: Store, key: str) -> AccuracyEntry | None:
    """Read a network's own accuracy; None if it is not computed yet, or damaged."""
    return cast("AccuracyEntry | None", store.intact("accuracies", key))


def number(entry: Mapping[str, object], metric: str) -> float | None:
    """Return a number of an entry by its name; None if it is undefined. Raises KeyError if the entry lacks it."""
    value = entry[metric]
    return value if isinstance(value, int | float) else None


def reason(entry: CellEntry, metric: str) -> str:
    """Return the reason why a number of an entry is undefined."""
    return str(entry.get("reasons", {}).get(metric) or entry["reason"])
