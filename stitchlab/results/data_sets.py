"""Read the records of the data used with a store: name, classes, shape and number of images, but no pixels."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
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

    Attributes:
        name: by which it can be loaded again.
        label: its name for people.
        classes: their names.
        shape: (C, H, W) of an image.
        train, test: the number of images of each split.
        fingerprint: empty for data that was never loaded.
        folder: how a folder of images was decoded.
        loaded: when it was last loaded, in seconds since 1970.
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
        """Tell whether shifted and mirrored images are plausible: by the catalog; in folders, if they have colours."""
        return DATA_SETS[self.name].natural if self.name in DATA_SETS else self.shape[0] == 3

    @property
    def augmentation(self) -> AugmentationName:
        """Name the usual augmentation of training on these images."""
        return usual(self.name, self.shape)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> DataRecord:
        """Rebuild it from the store's JSON; unknown fields are left out. Raises StitchLabError for a missing field."""
        names = {f.name for f in fields(cls)}
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items() if k in names}
        try:
            return cls(**values)
        except TypeError as error:
            raise StitchLabError(
                f"data {values.get('name')!r} has a record that this version cannot read ({error}); "
                "load it again: `python -m stitchlab data NAME`"
            ) from error


def known(store: Store) -> list[DataRecord]:
    """List all data ever used with this store, in the order in which they were last loaded."""
    records = (of_fingerprint(store, key) for key in store.keys(ROOM))
    return sorted((record for record in records if record is not None), key=lambda record: float(record.loaded))


def of_fingerprint(store: Store, fingerprint: str) -> DataRecord | None:
    """Return the record of data by its fingerprint, or None if there is none that can be read."""
    stored = store.intact(ROOM, fingerprint) if is_fingerprint(fingerprint) else None
    with contextlib.suppress(StitchLabError):
        return None if stored is None else DataRecord.from_record(stored)
    return None


def is_fingerprint(text: str) -> bool:
    """Tell whether a text is a fingerprint, 64 hexadecimal digits, and not a name."""
    return re.fullmatch("[0-9a-f]{64}", text) is not None


def find(store: Store, name_or_fingerprint: str) -> DataRecord:
    """Find data by its fingerprint, or the data last loaded under a name. Raises UnknownName, Damaged."""
    if is_fingerprint(name_or_fingerprint) and (stored := store.get(ROOM, name_or_fingerprint)) is not None:
        return DataRecord.from_record(stored)
    records = known(store)
    for record in reversed(records):
        if record.name == name_or_fingerprint:
            return record
    if is_fingerprint(name_or_fingerprint):
        hint = "Load it first: `python -m stitchlab data` lists what there is"
        raise UnknownName("data set's fingerprint", name_or_fingerprint, (r.fingerprint for r in records), hint)
    raise UnknownName(
        "data set",
        name_or_fingerprint,
        {*DATA_SETS, *(r.name for r in records)},
        "A folder of images is named folder:PATH",
    )


def at_hand(store: Store) -> dict[str, DataRecord]:
    """List the data that a form may offer, by name: data that come with a library, and data used with this store."""
    entries = (entry for entry in DATA_SETS.values() if entry.at_hand)
    records = {
        e.name: DataRecord(
            name=e.name, label=e.label, classes=e.classes, shape=e.shape, train=e.train or 0, test=e.test or 0
        )
        for e in entries
    }
    return records | {record.name: record for record in known(store)}


def offered_folders() -> list[Path]:
    """List the folders of images that a page may offer.

    They have train/ and test/, and are named by STITCHLAB_DATA or lie in a folder that it names.
    """
    named = os.environ.get("STITCHLAB_DATA", "").split(os.pathsep)
    roots = [root for name in named if name and (root := Path(name).expanduser().resolve()).is_dir()]
    folders = [folder for root in roots for folder in (root, *sorted(root.iterdir()))]
    return [folder.resolve() for folder in folders if (folder / "train").is_dir() and (folder / "test").is_dir()]


def public(name: str, store: Store) -> str:
    """Return the name of data if a page may show them. Raises UnknownName if it may not.

    It may show data of the catalog, data used with this store, and the folders of `offered_folders`.
    """
    known_names = {*DATA_SETS, *(record.name for record in known(store))}
    folders = {f"{FOLDER}{path}" for path in offered_folders()}
    if name not in known_names and re.sub(r"@\d+$", "", name) not in folders:
        raise UnknownName("data set", name, known_names | folders, "Folders elsewhere are named on the command line")
    return name


def checked_count(count: int | None, available: int, what: str) -> int:
    """Check a number of images, and resolve None to all of them.

    Args:
        count: the requested number; None: all.
        available: the number of images of the data.
        what: the purpose of the images, for the message.

    Raises:
        StitchLabError: the number is below 1 or above the available one.
    """
    if count is not None and not 1 <= count <= available:
        raise StitchLabError(f"{what}: expected a number from 1 to {available:,} (all there are), got {count:,}")
    return available if count is None else count
