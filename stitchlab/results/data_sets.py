"""Keep records of the data used with a store: name, classes, shape and number of images, but no pixels."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from stitchlab.catalog.augmentations import usual
from stitchlab.catalog.data_sets import DATA_SETS, FOLDER
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.request import AugmentationName
from stitchlab.store import Store

ROOM = "data"


@dataclass(frozen=True, kw_only=True)
class DataRecord:
    """Describe data without its pixels.

    ``name`` loads it again, ``label`` is for people, ``shape`` is (C,H,W), ``train`` and ``test`` count its images,
    ``folder`` is how a folder of images was decoded, ``loaded`` when it was loaded last (seconds since 1970).
    ``fingerprint`` is empty for data that was never loaded.
    """

    name: str
    label: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    train: int
    test: int
    fingerprint: str = ""
    folder: dict[str, Any] | None = None
    loaded: float = 0.0

    @property
    def natural(self) -> bool:
        """Tell whether a shifted or mirrored image is as good as any, by the catalog, or by colour in folders."""
        return DATA_SETS[self.name].natural if self.name in DATA_SETS else self.shape[0] == 3

    @property
    def augmentation(self) -> AugmentationName:
        """Name the augmentation that training on these images usually has."""
        return usual(self.name, self.shape)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> DataRecord:
        """Read the record that the store keeps. Raises StitchLabError where a field is missing."""
        known = {f.name for f in fields(cls)}
        made: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items() if k in known}
        try:
            return cls(**made)
        except TypeError as error:
            raise StitchLabError(
                f"data {made.get('name')!r} has a record that this version cannot read ({error}); "
                "load it again: `python -m stitchlab data NAME`"
            ) from error


def known(store: Store) -> list[DataRecord]:
    """List all data ever used with this store; what was loaded last comes last."""
    records = (of_fingerprint(store, key) for key in store.keys(ROOM))
    return sorted((record for record in records if record is not None), key=lambda record: float(record.loaded))


def of_fingerprint(store: Store, fingerprint: str) -> DataRecord | None:
    """Return the record of data by its fingerprint, or None if there is none that can be read."""
    kept = store.intact(ROOM, fingerprint) if is_fingerprint(fingerprint) else None
    with contextlib.suppress(StitchLabError):
        return None if kept is None else DataRecord.from_record(kept)
    return None


def is_fingerprint(text: str) -> bool:
    """Tell whether a text is a fingerprint, 64 hexadecimal digits, and not a name."""
    return re.fullmatch("[0-9a-f]{64}", text) is not None


def find(store: Store, name_or_fingerprint: str) -> DataRecord:
    """Find data by its fingerprint, or what was loaded last under a name. Raises UnknownName, Damaged."""
    if is_fingerprint(name_or_fingerprint) and (kept := store.get(ROOM, name_or_fingerprint)) is not None:
        return DataRecord.from_record(kept)
    there = known(store)
    for record in reversed(there):
        if record.name == name_or_fingerprint:
            return record
    if is_fingerprint(name_or_fingerprint):
        hint = "Load it first: `python -m stitchlab data` lists what there is"
        raise UnknownName("data set's fingerprint", name_or_fingerprint, (r.fingerprint for r in there), hint)
    raise UnknownName(
        "data set",
        name_or_fingerprint,
        {*DATA_SETS, *(r.name for r in there)},
        "A folder of images is named folder:PATH",
    )


def at_hand(store: Store) -> dict[str, DataRecord]:
    """List the data that a form may offer, by name: what comes with a library, and what was used with this store."""
    entries = (entry for entry in DATA_SETS.values() if entry.at_hand)
    made = {
        e.name: DataRecord(
            name=e.name, label=e.label, classes=e.classes, shape=e.shape, train=e.train or 0, test=e.test or 0
        )
        for e in entries
    }
    return made | {record.name: record for record in known(store)}


def offered_folders() -> list[Path]:
    """List the folders of images that a page may offer: those of STITCHLAB_DATA, or in them, with train/ and test/."""
    named = os.environ.get("STITCHLAB_DATA", "").split(os.pathsep)
    roots = [root for name in named if name and (root := Path(name).expanduser().resolve()).is_dir()]
    places = [place for root in roots for place in (root, *sorted(root.iterdir()))]
    return [place.resolve() for place in places if (place / "train").is_dir() and (place / "test").is_dir()]


def public(name: str, store: Store) -> str:
    """Return the name if a page may show it: of the catalog, used here, or of a folder under STITCHLAB_DATA.

    Raises UnknownName.
    """
    there = {*DATA_SETS, *(record.name for record in known(store))}
    folders = {f"{FOLDER}{path}" for path in offered_folders()}
    if name not in there and re.sub(r"@\d+$", "", name) not in folders:
        raise UnknownName("data set", name, there | folders, "Folders elsewhere are named on the command line")
    return name


def checked_count(count: int | None, available: int, what: str) -> int:
    """Check a number of images, and resolve None to all of them.

    Args:
        count: how many are wanted; None: all.
        available: how many there are.
        what: what they are for, as it should read in the message.

    Raises:
        StitchLabError: the number is below 1 or beyond the data.
    """
    if count is not None and not 1 <= count <= available:
        raise StitchLabError(f"{what}: expected a number from 1 to {available:,} (all there are), got {count:,}")
    return available if count is None else count
