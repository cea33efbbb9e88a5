"""Load data sets: those of the catalog by their names, and folders of images.

Images stay uint8 in memory (mapped from the disk once they are large) and are scaled where they are used. A data set's
fingerprint is that of its content (pixels, labels, class names, and the size that was asked for), not of its place.
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
from stitchlab.store import Store, given

KEEP = 3  # data sets that stay loaded in this process


class _Loaded(NamedTuple):
    """Hold a loaded data set, with the state of the file that its pixels were read from, if any."""

    data: DataSet
    file: image_folder.State | None = None


#: What stays loaded in this process, by store and by name (of the catalog) or fingerprint (of folders); last used last.
_loaded: dict[tuple[str, str], _Loaded] = {}


def load(name: str, store: Store | None = None, *, report: Report = no_report, download: bool = False) -> DataSet:
    """Load the data set of this name: one of the catalog's `DATA_SETS`, ``folder:PATH`` or ``folder:PATH@SIZE``.

    From then on the store has a record of it (room ``data``).

    Args:
        name: which one. A folder holds PATH/train/CLASS/* and PATH/test/CLASS/*; SIZE brings images of mixed sizes to
            SIZE×SIZE (shorter side, centre crop).
        store: keeps decoded images, downloads (``downloads/``) and the record; default is `Store()`.
        report: told about decoding and downloading.
        download: fetch files that are missing; without it nothing is ever fetched.

    Raises UnknownName; StitchLabError where files are missing or broken.
    """
    store = given(store)
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


def outline(name: str, store: Store) -> DataRecord:
    """Describe a data set from names and headers alone: no image is decoded, nothing is downloaded or kept.

    Shape and number of classes are as `load` will have them; of the catalog's data that was never used here, classes
    are called by numbers. Raises UnknownName; StitchLabError where a folder is not as it must be.
    """
    if name.startswith(FOLDER):
        path, size = _parse(name)
        listed = image_folder.listing(path, size)
        return DataRecord(
            name=name,
            label=path.name,
            classes=listed.classes,
            train=sum(listed.train),
            test=sum(listed.test),
            shape=image_folder.first_shape(listed, size, store),
        )
    if used := [record for record in known(store) if record.name == name]:
        return used[-1]
    if name not in DATA_SETS:
        raise _unknown(name)
    entry = DATA_SETS[name]
    classes = entry.classes or tuple(str(k) for k in range(entry.outputs))
    return DataRecord(
        name=name, label=entry.label, classes=classes, shape=entry.shape, train=entry.train or 0, test=entry.test or 0
    )


def here(name: str, store: Store) -> DataSet:
    """Load a data set as it was used here before: nothing is downloaded or recorded, no folder decoded again.

    Raises as `load` and `load_by_fingerprint`.
    """
    used = [record.fingerprint for record in known(store) if record.name == name]
    return load_by_fingerprint(used[-1], store) if used else _read(name, store)[0]


def load_by_fingerprint(fingerprint: str, store: Store) -> DataSet:
    """Load the data set with this content; nothing is recorded.

    A folder that has changed or moved since still loads as it was, as long as the store keeps its pixels. Raises
    UnknownName where the store never saw it, StitchLabError where it is gone.
    """
    record = find(store, fingerprint)
    if record.folder is not None:
        decoded = image_folder.Decoded.from_record(record.folder)
        if made := _from_pixels(record.name, record.label, decoded, store):
            return made
    made, _ = _read(record.name, store)
    if made.fingerprint != fingerprint:
        raise StitchLabError(
            f"{record.name} has changed (expected fingerprint {fingerprint[:12]}, "
            f"got {made.fingerprint[:12]}); restore its files, or compute again with what it holds now"
        )
    return made


def _read(
    name: str, store: Store, report: Report = no_report, download: bool = False
) -> tuple[DataSet, dict[str, Any] | None]:
    """Load the data set of this name, and say how its folder was decoded, if it is one."""
    if name.startswith(FOLDER):
        return _read_folder(name, store, report)
    if name not in DATA_SETS:
        raise _unknown(name)
    key = (str(store.root), name)
    kept = _loaded.get(key) or _Loaded(_read_entry(DATA_SETS[name], store, report, download))
    _remember(key, kept)
    return kept.data, None


def _unknown(name: str) -> UnknownName:
    return UnknownName("data set", name, DATA_SETS, "A folder of images is named folder:PATH")


def _read_entry(entry: DataSetEntry, store: Store, report: Report, download: bool) -> DataSet:
    root = store.root / "downloads"
    report(f"loading {entry.label}", 0.0)
    try:
        # Downloading, torchvision draws a bar of its own.
        with contextlib.redirect_stderr(io.StringIO()) if download else contextlib.nullcontext():
            content = LOADERS[entry.name](root, download)
    except (RuntimeError, OSError) as error:
        raise StitchLabError(_absent(entry, root, download, error)) from error
    sha = hashlib.sha256(content.train.images.tobytes() + content.test.images.tobytes()).hexdigest()
    labels = [content.train.labels, content.test.labels]
    fingerprint = _fingerprint(content.classes, content.train.images.shape[1:], labels, sha, None)
    return DataSet(entry.name, entry.label, *content, fingerprint, entry.natural)


def _absent(entry: DataSetEntry, root: Path, download: bool, error: Exception) -> str:
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
    decoded = image_folder.decode(image_folder.listing(path, size), size, store, report)
    label = path.name if size is None else f"{path.name} at {size} px"
    made = _from_pixels(f"folder:{path}{'' if size is None else f'@{size}'}", label, decoded, store)
    if made is None:
        raise StitchLabError(
            f"the decoded images of {path} are gone from the cache at {store.root}; load the folder again"
        )
    return made, asdict(decoded)


def _parse(name: str) -> tuple[Path, int | None]:
    match = re.fullmatch(r"folder:(.+?)(?:@(\d+))?", name)
    if match is None or int(match[2] or 1) < 1:
        raise StitchLabError(f"expected folder:PATH or folder:PATH@SIZE, SIZE ≥ 1, got {name!r}")
    path = Path(match[1]).expanduser().resolve()
    if not path.is_dir():
        raise StitchLabError(f"{path} is not a folder; folder:PATH needs PATH/train/CLASS/ and PATH/test/CLASS/")
    return path, None if match[2] is None else int(match[2])


def _from_pixels(name: str, label: str, decoded: image_folder.Decoded, store: Store) -> DataSet | None:
    """Make the data set of a folder's decoded pixels, verified once per state of their file; None without them."""
    labels = [_labels(counts) for counts in (decoded.train, decoded.test)]
    fingerprint = _fingerprint(decoded.classes, decoded.shape, labels, decoded.sha256, decoded.size)
    key, file = (str(store.root), fingerprint), image_folder.state(decoded, store)
    kept = _loaded.get(key)
    if kept is None or kept.file != file:
        images = image_folder.pixels(decoded, store)
        if images is None:
            return None
        train, test = map(Split, np.split(images, [sum(decoded.train)]), labels)
        made = DataSet(name, label, decoded.classes, train, test, fingerprint, natural=decoded.shape[0] == 3)
        kept = _Loaded(made, file)
    _remember(key, kept)
    return replace(kept.data, name=name, label=label)  # the same content may go by another name


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


def _remember(key: tuple[str, str], kept: _Loaded) -> None:
    """Keep a data set loaded in this process, with the few others that were used last."""
    _loaded.pop(key, None)
    while len(_loaded) >= KEEP:
        _loaded.pop(next(iter(_loaded)), None)
    _loaded[key] = kept
