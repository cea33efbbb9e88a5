"""Read, find, rename and delete the records of networks in the store.

A network's id is a fingerprint of everything that its outputs depend on: its architecture with options, its classes,
its preprocessing, and every tensor. Its name, accuracy and origin play no part in the id and may change.
`stitchlab.models.store` loads the weights.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from stitchlab.catalog.architectures import CONTROLS
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.results.cut_points import delete as delete_cut_points
from stitchlab.store import Array, Store, store_or_default

ROOM = "networks"
MEASURED = "confusions"  # the room of confusion matrices on test images (`measured_key`)
PROBED = "probes"  # the room of linear probes (`stitchlab.results.probes`), whose keys begin with the network's id
HINT = "Train one with `python -m stitchlab train`, or bring one with `python -m stitchlab import`"


@dataclass(frozen=True)
class Code:
    """Describe the user's own code that builds a network: the file, and its SHA-256."""

    file: str
    sha256: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """Describe a network of the store.

    Attributes:
        id: 64 hexadecimal digits.
        name: by which users refer to it.
        architecture, options: the architecture's name, and its settings.
        classes: the names of the classes that it predicts.
        channels, size: its input is (channels, size, size).
        mean, std: the mean and the standard deviation by which pixels in 0..1 are standardised, one number a channel.
        resize: the length to which the shorter side of images is resized before the centre is cut out; None: images of
            another size are resized to ``size``.
        interpolation: how images are resized.
        data, data_fingerprint: the data that it came with.
        accuracy: 0..1, measured here on all test images of that data; None if it was not measured, or the data has
            other classes.
        parameters: the number of its parameters.
        seed: of its training; None if it was trained elsewhere.
        origin: how it was made: ``how``, and settings that depend on that.
        created: when, ISO 8601.
        code: the user's own code that builds it; None: StitchLab builds it.
    """

    id: str = ""
    name: str
    architecture: str
    options: dict[str, Any]
    classes: tuple[str, ...]
    channels: int
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize: int | None = None
    interpolation: str = "bilinear"
    data: str
    data_fingerprint: str
    accuracy: float | None = None
    parameters: int = 0
    seed: int | None = None
    origin: dict[str, Any]
    created: str = ""
    code: Code | None = None

    @property
    def short(self) -> str:
        """Return the first 12 digits of the id."""
        return self.id[:12]

    @property
    def label(self) -> str:
        """Describe it for people: ``digits-a · resnet14 · 98.9 %``."""
        accuracy = "" if self.accuracy is None else f" · {100 * self.accuracy:.1f} %"
        return f"{self.name} · {self.architecture}{accuracy}"

    @property
    def unmeasured(self) -> str:
        """Say why there is no accuracy: controls are measured only on request, other networks when they are made."""
        return "not measured" if self.origin.get("how") == "control" else "not defined"

    @property
    def input(self) -> tuple[int, int, int]:
        """Return the shape (C, H, W) of the network's input."""
        return (self.channels, self.size, self.size)

    def record(self) -> dict[str, Any]:
        """Convert it to JSON (`stitchlab.results.records.NetworkJson`)."""
        values = {f.name: getattr(self, f.name) for f in fields(Network)}
        return values | {"code": None if self.code is None else asdict(self.code)}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Network:
        """Rebuild it from `record`'s JSON. Raises StitchLabError if a field is missing, or unknown to this version."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items()}
        try:
            return cls(**{**values, "code": Code(**values["code"]) if values.get("code") else None})
        except TypeError as error:
            raise StitchLabError(
                f"network {values.get('name')!r} has a record that this version cannot read ({error}); "
                "use the version that wrote it"
            ) from error


def list_networks(store: Store | None = None) -> list[Network]:
    """List all networks of the store, oldest first, without loading weights.

    Records that are damaged, or a newer version's, are left out.
    """
    store, networks = store_or_default(store), []
    for record in (store.intact(ROOM, key) for key in store.keys(ROOM)):
        with contextlib.suppress(StitchLabError):
            networks += [] if record is None else [Network.from_record(record)]
    return sorted(networks, key=lambda network: network.created)


def find(store: Store, name_or_id: str) -> Network:
    """Find the network with this name or id, or with an id that begins so (six digits or more); no weights are loaded.

    Raises UnknownName; StitchLabError where several ids begin so.
    """
    if re.fullmatch("[0-9a-f]{64}", name_or_id) and (record := store.get(ROOM, name_or_id)) is not None:
        return Network.from_record(record)
    networks = list_networks(store)
    if by_name := [n for n in networks if n.name == name_or_id]:
        return by_name[0]
    by_id = [n for n in networks if n.id.startswith(name_or_id)] if len(name_or_id) >= 6 else []
    if len(by_id) > 1:
        raise StitchLabError(
            f"several ids begin with {name_or_id!r}: {', '.join(f'{n.short} ({n.name})' for n in by_id)}; "
            "give more digits"
        )
    if not by_id:
        raise UnknownName("network", name_or_id, (n.name for n in networks), HINT)
    return by_id[0]


def rename(store: Store, name_or_id: str, name: str) -> Network:
    """Rename a network; its id and results stay.

    Args:
        store: where the network is.
        name_or_id: as in `find`.
        name: the new name.

    Returns:
        the network with its new name.

    Raises:
        UnknownName: there is no such network.
        StitchLabError: the new name is taken or not allowed.
    """
    network = find(store, name_or_id)
    if name != network.name:
        check_name_free(store, name)
    return write_record(store, replace(network, name=name))


def write_record(store: Store, network: Network) -> Network:
    """Write a network's record into the store: its name, accuracy, origin."""
    store.put(ROOM, network.id, network.record())
    return network


def delete(store: Store, name_or_id: str) -> Network:
    """Remove a network's record, weights, confusion matrix, probes and cut points; return its record.

    Runs that were computed with it stay. Raises as `find`.
    """
    network = find(store, name_or_id)
    store.delete(ROOM, network.id)
    store.delete(MEASURED, measured_key(network))
    store.delete_all(PROBED, f"{network.id}-")
    delete_cut_points(store, network.id)
    return network


def measured_key(network: Network) -> str:
    """Return the key of a network's confusion matrix on the test images of its data."""
    return f"{network.id[:32]}-{network.data_fingerprint[:31]}"


def check_name_free(store: Store, name: str, or_else: str = "") -> None:
    """Check that a network may get this name.

    Args:
        store: whose networks must not have it.
        name: the requested name.
        or_else: further advice, which ends the error message.

    Raises:
        StitchLabError: the name is taken or not allowed.
    """
    if (network := holder(store, name)) is not None:
        raise StitchLabError(
            f"name {name!r} is taken by network {network.short} ({network.architecture}, {network.data}): "
            f"choose another{or_else}"
        )


def holder(store: Store, name: str) -> Network | None:
    """Return the network of exactly this name, or None. Raises StitchLabError if the name is not allowed."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name):
        raise StitchLabError(
            f"a network's name has 1 to 64 letters, digits, dots, underscores and hyphens; got {name!r}"
        )
    if name in CONTROLS:
        raise StitchLabError(f"{name!r} names a control that every comparison offers: choose another name")
    return next((network for network in list_networks(store) if network.name == name), None)


def some_name(store: Store, wish: str) -> str:
    """Return a name that no network has, and that is close to the wish."""
    wish = re.sub(r"[^A-Za-z0-9._-]+", "-", wish).lower()[:60]
    taken = {network.name for network in list_networks(store)}
    names = (wish if k == 1 else f"{wish}-{k}" for k in itertools.count(1))
    return next(name for name in names if name not in taken)


def confusion(store: Store, network: Network) -> Array | None:
    """Read how many test images of each class (rows) a network assigns to each class (columns).

    Returns int64 (classes, classes); None if it was not measured (`stitchlab.models.create`).
    """
    arrays = store.intact_arrays(MEASURED, measured_key(network))
    return None if arrays is None else arrays["counts"]
