"""Load data sets: those of the catalog by their names, and folders of images.

Images stay uint8 in memory (large ones are mapped from the disk) and are scaled where they are used. A data set's
fingerprint depends on its content (pixels, labels, class names and the requested size), not on where its files are.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stitchlab.catalog.data_sets import DATA_SETS, FOLDER, DataSetEntry
from stitchlab.data import image_folder
from stitchlab.data.loaders import LOADERS
from stitchlab.data.splits import DataSet, Labels, Split
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.request import Report, content_id, no_report
from stitchlab.results.data_sets import ROOM, DataRecord, find, known
from stitchlab.store import Store, store_or_default

MAX_LOADED_DATA_SETS = 3  # that stay in the memory of this process


class _Loaded(NamedTuple):
    """Hold a loaded data set; of a folder also the state of the file that its pixels were read from."""

    data: DataSet
    pixels_state: image_folder.FileState | None = None


#: The loaded data sets by store and name (of the catalog) or fingerprint (of folders), least recently used first.
_loaded: dict[tuple[str, str], _Loaded] = {}


def load(name: str, store: Store | None = None, *, report: Report = no_report, download: bool = False) -> DataSet:
    """Load the data set of this name: one of the catalog's `DATA_SETS`, ``folder:PATH`` or ``folder:PATH@SIZE``.

    The store then has a record of it (room ``data``).

    Args:
        name: of the data set. A folder holds PATH/train/CLASS/* and PATH/test/CLASS/*; with @SIZE, the shorter side of
            each image is resized to SIZE and the centre cropped to SIZE×SIZE.
        store: keeps decoded images, downloads (``downloads/``) and the record; default is `Store()`.
        report: receives the progress of decoding and downloading.
        download: whether to download missing files.

    Raises UnknownName; StitchLabError where files are missing or broken.
    """
    store = store_or_default(store)
    data, decoded = _read(name, store, report, download)
    store.put(
        ROOM,
        data.fingerprint,
        {
            "name": data.name,
            "label": data.label,
            "fingerprint": data.fingerprint,
            "classes": data.classes,
            "shape": data.shape,
            "train": len(data.train),
            "test": len(data.test),
            "folder": decoded,
            "loaded": time.time(),
        },
    )
    return data


def describe(name: str, store: Store) -> DataRecord:
    """Describe a data set from file names and image headers; nothing is decoded, downloaded or kept.

    Shape and number of classes are as after `load`. A catalog entry that was never loaded and lists no class names gets
    numbers for them. Raises UnknownName; StitchLabError where a folder has not the expected structure.
    """
    if name.startswith(FOLDER):
        path, size = _parse(name)
        listing = image_folder.list_folder(path, size)
        return DataRecord(
            name=name,
            label=path.name,
            classes=listing.classes,
            train=sum(listing.train),
            test=sum(listing.test),
            shape=image_folder.image_shape(listing, size, store),
        )
    if records := [record for record in known(store) if record.name == name]:
        return records[-1]
    if name not in DATA_SETS:
        raise _unknown(name)
    entry = DATA_SETS[name]
    classes = entry.classes or tuple(str(k) for k in range(entry.outputs))
    return DataRecord(
        name=name, label=entry.label, classes=classes, shape=entry.shape, train=entry.train or 0, test=entry.test or 0
    )


def load_offline(name: str, store: Store) -> DataSet:
    """Load a data set as it was last used with this store, without downloading, recording or decoding it again.

    Raises as `load` and `load_by_fingerprint`.
    """
    fingerprints = [record.fingerprint for record in known(store) if record.name == name]
    return load_by_fingerprint(fingerprints[-1], store) if fingerprints else _read(name, store)[0]


def load_by_fingerprint(fingerprint: str, store: Store) -> DataSet:
    """Load the data set with this fingerprint; nothing is recorded.

    A folder that has changed or moved since then still loads as it was, as long as the store has its pixels. Raises
    UnknownName where the store has no record of it, StitchLabError where its content is no longer available.
    """
    record = find(store, fingerprint)
    if record.folder is not None:
        decoded = image_folder.DecodedFolder.from_record(record.folder)
        if data := _from_pixels(record.name, record.label, decoded, store):
            return data
    data, _ = _read(record.name, store)
    if data.fingerprint != fingerprint:
        raise StitchLabError(
            f"{record.name} has changed (expected fingerprint {fingerprint[:12]}, "
            f"got {data.fingerprint[:12]}); restore its files, or compute again with what it holds now"
        )
    return data


def _read(
    name: str, store: Store, report: Report = no_report, download: bool = False
) -> tuple[DataSet, dict[str, Any] | None]:
    """Load the data set of this name; also return the record of how it was decoded, where it is a folder."""
    if name.startswith(FOLDER):
        return _read_folder(name, store, report)
    if name not in DATA_SETS:
        raise _unknown(name)
    key = (str(store.root), name)
    loaded = _loaded.get(key) or _Loaded(_read_entry(DATA_SETS[name], store, report, download))
    _keep_loaded(key, loaded)
    return loaded.data, None


def _unknown(name: str) -> UnknownName:
    return UnknownName("data set", name, DATA_SETS, "A folder of images is named folder:PATH")


def _read_entry(entry: DataSetEntry, store: Store, report: Report, download: bool) -> DataSet:
    root = store.root / "downloads"
    report(f"loading {entry.label}", 0.0)
    try:
        # While it downloads, torchvision prints a progress bar of its own.
        with contextlib.redirect_stderr(io.StringIO()) if download else contextlib.nullcontext():
            splits = LOADERS[entry.name](root, download)
    except (RuntimeError, OSError) as error:
        raise StitchLabError(_missing_files(entry, root, download, error)) from error
    sha256 = hashlib.sha256(splits.train.images.tobytes() + splits.test.images.tobytes()).hexdigest()
    labels = [splits.train.labels, splits.test.labels]
    fingerprint = _fingerprint(splits.classes, splits.train.images.shape[1:], labels, sha256, None)
    return DataSet(entry.name, entry.label, *splits, fingerprint, entry.natural)


def _missing_files(entry: DataSetEntry, root: Path, download: bool, error: Exception) -> str:
    if not download:
        return (
            f"{entry.label} is not on this machine (looked in {root}) and is downloaded only on request: "
            "pass download=True, or --download on the command line; `digits` needs no files"
        )
    reason = " ".join(str(error).split())[:160] or type(error).__name__
    return (
        f"{entry.label} could not be downloaded ({reason}); connect this machine to the network, or put torchvision's "
        f"files for {entry.name} into {root} and ask again; `digits` needs no files"
    )


def _read_folder(name: str, store: Store, report: Report) -> tuple[DataSet, dict[str, Any] | None]:
    path, size = _parse(name)
    decoded = image_folder.decode(image_folder.list_folder(path, size), size, store, report)
    label = path.name if size is None else f"{path.name} at {size} px"
    data = _from_pixels(f"folder:{path}{'' if size is None else f'@{size}'}", label, decoded, store)
    if data is None:
        raise StitchLabError(
            f"the decoded images of {path} are gone from the cache at {store.root}; load the folder again"
        )
    return data, asdict(decoded)


def _parse(name: str) -> tuple[Path, int | None]:
    match = re.fullmatch(r"folder:(.+?)(?:@(\d+))?", name)
    if match is None or int(match[2] or 1) < 1:
        raise StitchLabError(f"expected folder:PATH or folder:PATH@SIZE, SIZE ≥ 1, got {name!r}")
    path = Path(match[1]).expanduser().resolve()
    if not path.is_dir():
        raise StitchLabError(f"{path} is not a folder; folder:PATH needs PATH/train/CLASS/ and PATH/test/CLASS/")
    return path, None if match[2] is None else int(match[2])


def _from_pixels(name: str, label: str, decoded: image_folder.DecodedFolder, store: Store) -> DataSet | None:
    """Make the data set of a folder from its decoded pixels, or None where the store no longer has them.

    The pixels are read and verified again only when their file has changed.
    """
    labels = [_labels(counts) for counts in (decoded.train, decoded.test)]
    fingerprint = _fingerprint(decoded.classes, decoded.shape, labels, decoded.sha256, decoded.size)
    key, state = (str(store.root), fingerprint), image_folder.pixels_state(decoded, store)
    loaded = _loaded.get(key)
    if loaded is None or loaded.pixels_state != state:
        images = image_folder.read_pixels(decoded, store)
        if images is None:
            return None
        train, test = map(Split, np.split(images, [sum(decoded.train)]), labels)
        data = DataSet(name, label, decoded.classes, train, test, fingerprint, natural=decoded.shape[0] == 3)
        loaded = _Loaded(data, state)
    _keep_loaded(key, loaded)
    return replace(loaded.data, name=name, label=label)  # folders with the same content may have other names


def _labels(counts: tuple[int, ...]) -> Labels:
    return np.repeat(np.arange(len(counts)), counts)


def _fingerprint(
    classes: tuple[str, ...], shape: tuple[int, ...], labels: list[Labels], pixels_sha256: str, size: int | None
) -> str:
    return content_id(
        {
            "classes": classes,
            "shape": shape,
            "size": size,
            "pixels": pixels_sha256,
            "labels": [hashlib.sha256(part.tobytes()).hexdigest() for part in labels],
        }
    )


def _keep_loaded(key: tuple[str, str], loaded: _Loaded) -> None:
    """Keep a data set in memory as the most recently used one, and drop the least recently used ones."""
    _loaded.pop(key, None)
    while len(_loaded) >= MAX_LOADED_DATA_SETS:
        _loaded.pop(next(iter(_loaded)), None)
    _loaded[key] = loaded
