"""Keep records of the networks in the store: what they are, and how they are found, renamed and deleted.

A network's id is a fingerprint of everything that its outputs depend on: architecture with its options, class names,
input preprocessing, then every tensor. Its name, accuracy and origin are remarks beside that. Its weights are loaded
by `stitchlab.models.store`.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from stitchlab.catalog.architectures import CONTROLS
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.results.cut_points import delete as delete_cut_points
from stitchlab.store import Array, Store, given

ROOM = "networks"
MEASURED = "confusions"  # the room of what was counted on test images (`measured_key`)
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

    ``id`` has 64 hexadecimal digits. Its input is (``channels``, ``size``, ``size``); ``mean`` and ``std`` belong to
    pixels in 0..1, one number a channel. ``resize`` is the shorter side that images are brought to, by
    ``interpolation``, before the centre is cut out; without it they are brought to ``size`` where they have another.
    ``accuracy`` (0..1) was measured here, on the whole test split of ``data``; None where the data has other classes,
    or nothing was measured. ``origin`` says how it came to be. ``code`` is there where the user's own builds it.
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
        """Say why there is no accuracy: controls are measured on request only, all others at once."""
        return "not measured" if self.origin.get("how") == "control" else "not defined"

    @property
    def input(self) -> tuple[int, int, int]:
        """Return the (C,H,W) that the module takes."""
        return (self.channels, self.size, self.size)

    def record(self) -> dict[str, Any]:
        """Convert it to JSON."""
        made = {f.name: getattr(self, f.name) for f in fields(Network)}
        return made | {"code": None if self.code is None else asdict(self.code)}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Network:
        """Rebuild it from `record`'s JSON. Raises StitchLabError if a field is missing, or a newer version's."""
        made: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items()}
        try:
            return cls(**{**made, "code": Code(**made["code"]) if made.get("code") else None})
        except TypeError as error:
            raise StitchLabError(
                f"network {made.get('name')!r} has a record that this version cannot read ({error}); "
                "use the version that wrote it"
            ) from error


def list_networks(store: Store | None = None) -> list[Network]:
    """List all networks of the store, oldest first, without loading weights.

    Records that are damaged, or a newer version's, are left out.
    """
    store, found = given(store), []
    for record in (store.intact(ROOM, key) for key in store.keys(ROOM)):
        with contextlib.suppress(StitchLabError):
            found += [] if record is None else [Network.from_record(record)]
    return sorted(found, key=lambda network: network.created)


def find(store: Store, name_or_id: str) -> Network:
    """Find the network with this name, id, or beginning of an id (six digits or more), without loading weights.

    Raises UnknownName; StitchLabError where several ids begin so.
    """
    if re.fullmatch("[0-9a-f]{64}", name_or_id) and (record := store.get(ROOM, name_or_id)) is not None:
        return Network.from_record(record)
    there = list_networks(store)
    if named := [n for n in there if n.name == name_or_id]:
        return named[0]
    begun = [n for n in there if n.id.startswith(name_or_id)] if len(name_or_id) >= 6 else []
    if len(begun) > 1:
        raise StitchLabError(
            f"several ids begin with {name_or_id!r}: {', '.join(f'{n.short} ({n.name})' for n in begun)}; "
            "give more digits"
        )
    if not begun:
        raise UnknownName("network", name_or_id, (n.name for n in there), HINT)
    return begun[0]


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
    found = find(store, name_or_id)
    if name != found.name:
        check_name_free(store, name)
    return remark(store, replace(found, name=name))


def remark(store: Store, network: Network) -> Network:
    """Write a network's record into the store: its name, accuracy, origin."""
    store.put(ROOM, network.id, network.record())
    return network


def delete(store: Store, name_or_id: str) -> Network:
    """Remove a network's record, weights and own measurements; return what the record said.

    Runs that were computed with it stay. Raises as `find`.
    """
    gone = find(store, name_or_id)
    store.delete(ROOM, gone.id)
    store.delete(MEASURED, measured_key(gone))
    store.delete_all(PROBED, f"{gone.id}-")
    delete_cut_points(store, gone.id)
    return gone


def measured_key(network: Network) -> str:
    """Return the key of what was counted on the test images of its data."""
    return f"{network.id[:32]}-{network.data_fingerprint[:31]}"


def check_name_free(store: Store, name: str, or_else: str = "") -> None:
    """Check that a network may get this name.

    Args:
        store: whose networks must not have it.
        name: the wish.
        or_else: put behind the advice to choose another name.

    Raises:
        StitchLabError: the name is taken or not allowed.
    """
    if (other := holder(store, name)) is not None:
        raise StitchLabError(
            f"name {name!r} is taken by network {other.short} ({other.architecture}, {other.data}): "
            f"choose another{or_else}"
        )


def holder(store: Store, name: str) -> Network | None:
    """Return the network of exactly this name, or None. Raises StitchLabError if no network may be called so."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name):
        raise StitchLabError(
            f"a network's name has 1 to 64 letters, digits, dots, underscores and hyphens; got {name!r}"
        )
    if name in CONTROLS:
        raise StitchLabError(f"{name!r} names a control that every comparison offers: choose another name")
    return next((network for network in list_networks(store) if network.name == name), None)


def some_name(store: Store, wish: str) -> str:
    """Make a name close to the wish that no network has."""
    wish = re.sub(r"[^A-Za-z0-9._-]+", "-", wish).lower()[:60]
    taken = {network.name for network in list_networks(store)}
    names = (wish if k == 1 else f"{wish}-{k}" for k in itertools.count(1))
    return next(name for name in names if name not in taken)


def confusion(store: Store, network: Network) -> Array | None:
    """Read how many test images of each class (rows) a network assigns to each class (columns).

    Returns int64 (classes, classes) as it was measured; None where that was never done (`stitchlab.models.create`).
    """
    kept = store.intact_arrays(MEASURED, measured_key(network))
    return None if kept is None else kept["counts"]
