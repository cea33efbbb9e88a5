"""Decode a folder of images once: PATH/train/CLASS/* and PATH/test/CLASS/*, as torchvision's ImageFolder has it.

The pixels are kept in the store's room ``images`` as one plain .npy file named by their SHA-256; the room ``listings``
says which pixels a folder's listing (relative path, size and time of change of every file) led to, so that an
unchanged folder is never decoded twice. EXIF rotation is ignored, as torchvision ignores it. What has more than 8 bits
a pixel is scaled or refused by `stitchlab.data.pixel_depth`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from stitchlab.data.pixel_depth import is_deep, shallow, white
from stitchlab.errors import Damaged, StitchLabError
from stitchlab.request import Report, content_id
from stitchlab.store import Store

#: What counts as an image; other files and hidden ones are passed over.
EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
IN_MEMORY = 1 << 30  # bytes of pixels up to which they are read into memory; beyond it they are mapped from the disk
GREY_MODES = ("1", "L", "LA")
STEP = 256  # images between two signs of progress
VERSION = 2  # of how images are decoded: by the first, all above 255 was white in grey images of 16 bits

Pixels = npt.NDArray[np.uint8]
State = tuple[int, int]


@dataclass(frozen=True)
class Decoded:
    """Describe a decoded folder of images, without the pixels themselves.

    ``train`` and ``test`` are image counts by class, ``shape`` is (C,H,W), ``size`` the one that was asked for (None:
    the files' own), ``sha256`` that of all pixels, training images first.
    """

    classes: tuple[str, ...]
    train: tuple[int, ...]
    test: tuple[int, ...]
    shape: tuple[int, int, int]
    size: int | None
    sha256: str

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Decoded:
        """Rebuild it from the JSON of its ``asdict``, in which tuples are lists."""
        made: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items()}
        return cls(**made)


@dataclass(frozen=True)
class Listing:
    """List the files of a folder, sorted by class and name; ``key`` changes when any file does."""

    root: Path
    classes: tuple[str, ...]
    train: tuple[int, ...]
    test: tuple[int, ...]
    files: tuple[str, ...]  # relative to root; training images first
    key: str


def listing(root: Path, size: int | None) -> Listing:
    """List a folder without opening an image.

    Raises StitchLabError where train/ or test/ is missing, their classes differ, or a class is empty.
    """
    found = {part: _classes(root, part) for part in ("train", "test")}
    classes = sorted(found["train"])
    if odd := sorted(set(classes) ^ set(found["test"])):
        raise StitchLabError(
            f"train/ and test/ of {root} must hold the same classes; only one of them has: {_some(odd)}. "
            "Add the missing class folders, or remove these"
        )
    parts = {part: [found[part][name] for name in classes] for part in found}
    rows = [row for part in parts.values() for rows in part for row in rows]
    return Listing(
        root=root,
        classes=tuple(classes),
        train=tuple(len(rows) for rows in parts["train"]),
        test=tuple(len(rows) for rows in parts["test"]),
        files=tuple(path for path, _, _ in rows),
        key=content_id([str(root), size, rows]),
    )


def first_shape(listed: Listing, size: int | None, store: Store) -> tuple[int, int, int]:
    """Find the (C,H,W) that all images will have, reading as few headers as possible.

    Of images of mixed sizes, which `decode` refuses without a ``size``, it is the first one's.

    Args:
        listed, store: the folder's files, and the store, which knows the shape if they were decoded before.
        size: pixels a side that they are brought to; None: their own.

    Raises:
        StitchLabError: a file cannot be read as an image.
    """
    if kept := store.intact("listings", listed.key):
        channels, height, width = kept["shape"]
        return channels, height, width
    colour, first = False, (0, 0)
    for n, name in enumerate(listed.files):
        with _opened(listed.root / name) as image:
            first = first if n else image.size
            colour = not is_deep(image) and image.mode not in GREY_MODES
        if colour:
            break
    width, height = first if size is None else (size, size)
    return (3 if colour else 1, height, width)


def decode(listed: Listing, size: int | None, store: Store, report: Report) -> Decoded:
    """Decode the images of a listing into the store, unless it was done before.

    Args:
        listed: the folder's files.
        size: None takes the images as they are (all of one size); else shorter side to ``size``, centre crop.
        store: keeps the pixels.
        report: told how many images are done.

    Raises StitchLabError for a broken image (named), one whose pixels cannot be read truly (named), mixed sizes without
    a ``size``, a full disk.
    """
    kept = store.intact("listings", listed.key) or {}
    version = kept.pop("version", 1)
    if kept and _place(store, decoded := Decoded.from_record(kept)).exists():
        if version == VERSION:
            return decoded
        if not _any_deep(listed):  # all others were always decoded so
            _remember(listed, decoded, store)
            return decoded
    shape = _shape(listed, size, report)
    decoded = Decoded(listed.classes, listed.train, listed.test, shape, size, _write(listed, shape, store, report))
    _remember(listed, decoded, store)
    return decoded


def _remember(listed: Listing, decoded: Decoded, store: Store) -> None:
    store.put("listings", listed.key, {**asdict(decoded), "version": VERSION})


def _any_deep(listed: Listing) -> bool:
    for name in listed.files:
        with _opened(listed.root / name) as image:
            if is_deep(image):
                return True
    return False


def pixels(decoded: Decoded, store: Store) -> Pixels | None:
    """Read all images (N,C,H,W), training images first; None if the store no longer has them. Raises Damaged.

    Beyond `IN_MEMORY` they are mapped read-only, and their checksum is not looked at: that would read them all.
    """
    path = _place(store, decoded)
    if not path.exists():
        return None
    damaged = Damaged(f"{path} does not match its checksum; delete it, and the folder is decoded again")
    try:
        images: Pixels = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise damaged from error
    if images.nbytes > IN_MEMORY:
        return images
    images = np.array(images)
    if hashlib.sha256(images.data).hexdigest() != decoded.sha256:
        raise damaged
    return images


def state(decoded: Decoded, store: Store) -> State | None:
    """Return size and time of change of the file of pixels, which tell whether it has changed; None if it is gone."""
    try:
        told = _place(store, decoded).stat()
    except FileNotFoundError:
        return None
    return told.st_size, told.st_mtime_ns


def _place(store: Store, decoded: Decoded) -> Path:
    return store.path("images", decoded.sha256, ".npy")


def _classes(root: Path, part: str) -> dict[str, list[tuple[str, int, int]]]:
    """List each class's images as (relative path, bytes, time of change), sorted by name."""
    if not (root / part).is_dir():
        raise StitchLabError(
            f"a folder of images needs train/CLASS/ and test/CLASS/ with images in them; {root} has no folder {part}/"
        )
    classes: dict[str, list[tuple[str, int, int]]] = {}
    for place in (root / part).iterdir():
        if place.name.startswith(".") or not place.is_dir():
            continue
        with os.scandir(place) as entries:
            classes[place.name] = sorted(
                (f"{part}/{place.name}/{entry.name}", (stat := entry.stat()).st_size, stat.st_mtime_ns // 1_000_000)
                for entry in entries
                if not entry.name.startswith(".") and entry.name.lower().endswith(EXTENSIONS) and entry.is_file()
            )
        if not classes[place.name]:
            raise StitchLabError(
                f"the class folder {place} holds no image; images end in {', '.join(EXTENSIONS)}. "
                "Fill it, or remove it from train/ and test/"
            )
    if not classes:
        raise StitchLabError(f"{root / part} holds no class; expected a folder of images for each class")
    return classes


def _shape(listed: Listing, size: int | None, report: Report) -> tuple[int, int, int]:
    """Find the (C,H,W) that all images will have, from their headers."""
    grey, first = True, (0, 0)
    for n, name in enumerate(listed.files):
        if n % STEP == 0:
            report(f"looking at {len(listed.files):,} images", 0.2 * n / len(listed.files))
        with _opened(listed.root / name) as image:
            if is_deep(image):
                white(image, listed.root / name)  # raises where that cannot be told
            grey = grey and (is_deep(image) or image.mode in GREY_MODES)
            first = first if n else image.size
            if size is None and image.size != first:
                raise StitchLabError(
                    f"expected images of one size; {listed.files[0]} is {first[0]}×{first[1]} and {name} is "
                    f"{image.size[0]}×{image.size[1]}. Choose one size for all: folder:{listed.root}@SIZE"
                )
    width, height = first if size is None else (size, size)
    return (1 if grey else 3, height, width)


def _write(listed: Listing, shape: tuple[int, int, int], store: Store, report: Report) -> str:
    """Decode all images into a file beside its place, rename it there, and return the SHA-256 of the pixels.

    Ordinary writes, not a memory map: on a full disk a map kills the process, a write says so.
    """
    total, sha = len(listed.files), hashlib.sha256()
    beside = store.path("images", f"decoding-{uuid.uuid4().hex}", ".npy")
    try:
        beside.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            _header(file, (total, *shape))
            for n, name in enumerate(listed.files):
                if n % STEP == 0:
                    report(f"decoding image {n:,} of {total:,}", 0.2 + 0.8 * n / total)
                data = _decoded(listed.root / name, shape).tobytes()
                sha.update(data)
                file.write(data)
        beside.replace(store.path("images", sha.hexdigest(), ".npy"))
    except OSError as error:
        raise StitchLabError(
            f"could not write {total * int(np.prod(shape)):,} bytes of images to the cache at {store.root} "
            f"({error.strerror}); nothing was half-written. Free some space, or move the cache with STITCHLAB_CACHE"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
    return sha.hexdigest()


def _header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})


def _decoded(path: Path, shape: tuple[int, int, int]) -> Pixels:
    """Decode an image to (C,H,W): shorter side to the size that is wanted, then the centre."""
    channels, height, width = shape
    with _opened(path) as image:
        pixel = shallow(image, path).convert("L" if channels == 1 else "RGB")
        if pixel.size != (width, height):
            scale = height / min(pixel.size)
            pixel = pixel.resize((round(pixel.width * scale), round(pixel.height * scale)), Image.Resampling.BILINEAR)
            left, top = (pixel.width - width) // 2, (pixel.height - height) // 2
            pixel = pixel.crop((left, top, left + width, top + height))
        array: Pixels = np.asarray(pixel, dtype=np.uint8).reshape(height, width, channels).transpose(2, 0, 1)
        return array


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open an image file; whatever its decoder raises becomes one line with the file's name."""
    try:
        with Image.open(path) as image:
            yield image
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise StitchLabError(f"{path} cannot be read as an image; replace it or remove it") from error


def _some(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
