"""Decode a folder of images once: PATH/train/CLASS/* and PATH/test/CLASS/*, as torchvision's ImageFolder has it.

The store's room ``images`` keeps the pixels of a folder as one .npy file, named by their SHA-256. The room ``listings``
maps a folder's listing (path, size and modification time of every file) to these pixels, so that an unchanged folder is
never decoded twice. EXIF rotation is ignored, as torchvision ignores it. Images with more than 8 bits a pixel are
scaled or refused by `stitchlab.data.pixel_depth`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from stitchlab.data.pixel_depth import is_deep, to_8_bits, white_value
from stitchlab.errors import Damaged, StitchLabError
from stitchlab.request import Report, content_id
from stitchlab.store import Store

#: The files that count as images; others and hidden ones are skipped.
EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
MAX_BYTES_IN_MEMORY = 1 << 30  # larger arrays of pixels are not read but mapped from the disk
GREY_MODES = ("1", "L", "LA")
IMAGES_PER_REPORT = 256
DECODING_VERSION = 2  # version 1 made every value above 255 white in 16-bit grey images

Pixels = npt.NDArray[np.uint8]
FileState = tuple[int, int]  #: size in bytes and modification time in ns
Part = Literal["train", "test"]


@dataclass(frozen=True)
class DecodedFolder:
    """Describe a decoded folder: images of each class in ``train`` and ``test``, their ``shape`` (C,H,W).

    ``size`` is the requested number of pixels a side, None for the files' own; ``sha256`` is of all pixels.
    """

    classes: tuple[str, ...]
    train: tuple[int, ...]
    test: tuple[int, ...]
    shape: tuple[int, int, int]
    size: int | None
    sha256: str

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> DecodedFolder:
        """Rebuild it from the JSON of its ``asdict``, in which tuples are lists."""
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items()}
        return cls(**fields)


@dataclass(frozen=True)
class Listing:
    """Hold the files of a folder, sorted by class and name; ``key`` changes when any file does."""

    root: Path
    classes: tuple[str, ...]
    train: tuple[int, ...]
    test: tuple[int, ...]
    files: tuple[str, ...]  # relative to root; training images first
    key: str


def list_folder(root: Path, size: int | None) -> Listing:
    """List a folder without opening an image.

    Raises StitchLabError where train/ or test/ is missing, their classes differ, or a class is empty.
    """
    train, test = _files_by_class(root, "train"), _files_by_class(root, "test")
    if unmatched := sorted(train.keys() ^ test.keys()):
        raise StitchLabError(
            f"train/ and test/ of {root} must hold the same classes; only one of them has: {_first_names(unmatched)}. "
            "Add the missing class folders, or remove these"
        )
    classes = sorted(train)
    files = [file for part in (train, test) for name in classes for file in part[name]]
    return Listing(
        root=root,
        classes=tuple(classes),
        train=tuple(len(train[name]) for name in classes),
        test=tuple(len(test[name]) for name in classes),
        files=tuple(path for path, _, _ in files),
        key=content_id([str(root), size, files]),
    )


def image_shape(listing: Listing, size: int | None, store: Store) -> tuple[int, int, int]:
    """Find the (C,H,W) of the decoded images, reading as few headers as possible.

    Where the images have mixed sizes, which `decode` refuses without a ``size``, it is that of the first image.

    Args:
        listing, store: the folder's files, and the store, which has the shape if they were decoded before.
        size: pixels a side that the images are resized to; None: their own.

    Raises:
        StitchLabError: a file cannot be read as an image.
    """
    if record := store.intact("listings", listing.key):
        channels, height, width = record["shape"]
        return channels, height, width
    grey, first_size = True, (0, 0)
    for n, name in enumerate(listing.files):
        with _opened(listing.root / name) as image:
            first_size = first_size if n else image.size
            grey = is_deep(image) or image.mode in GREY_MODES
        if not grey:
            break
    width, height = first_size if size is None else (size, size)
    return (1 if grey else 3, height, width)


def decode(listing: Listing, size: int | None, store: Store, report: Report) -> DecodedFolder:
    """Decode the images of a listing into the store, unless that was done before.

    Args:
        listing: the folder's files.
        size: pixels to which the shorter side is resized before the centre is cropped; None: the images' own size.
        store: where the pixels are kept.
        report: receives the progress.

    Raises:
        StitchLabError: an image is broken or its grey values are ambiguous (it is named), sizes are mixed and no
            ``size`` is given, or the disk is full.
    """
    record = store.intact("listings", listing.key) or {}
    version = record.pop("version", 1)
    if record and _pixels_path(store, decoded := DecodedFolder.from_record(record)).exists():
        if version == DECODING_VERSION:
            return decoded
        if not _any_deep(listing):  # versions differ in deep images only
            _record(listing, decoded, store)
            return decoded
    shape = _checked_shape(listing, size, report)
    sha256 = _write_pixels(listing, shape, store, report)
    decoded = DecodedFolder(listing.classes, listing.train, listing.test, shape, size, sha256)
    _record(listing, decoded, store)
    return decoded


def _record(listing: Listing, decoded: DecodedFolder, store: Store) -> None:
    store.put("listings", listing.key, {**asdict(decoded), "version": DECODING_VERSION})


def _any_deep(listing: Listing) -> bool:
    def deep(name: str) -> bool:
        with _opened(listing.root / name) as image:
            return is_deep(image)

    return any(map(deep, listing.files))


def read_pixels(decoded: DecodedFolder, store: Store) -> Pixels | None:
    """Read all images (N,C,H,W), training images first; None if the store no longer has them. Raises Damaged.

    Above `MAX_BYTES_IN_MEMORY` they are mapped read-only, and the checksum, which needs all of them, is not verified.
    """
    path = _pixels_path(store, decoded)
    if not path.exists():
        return None
    damaged = Damaged(f"{path} does not match its checksum; delete it, and the folder is decoded again")
    try:
        images: Pixels = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise damaged from error
    if images.nbytes > MAX_BYTES_IN_MEMORY:
        return images
    images = np.array(images)
    if hashlib.sha256(images.data).hexdigest() != decoded.sha256:
        raise damaged
    return images


def pixels_state(decoded: DecodedFolder, store: Store) -> FileState | None:
    """Return the state of the file of pixels, which differs once the file has changed; None where it is missing."""
    try:
        stat = _pixels_path(store, decoded).stat()
    except FileNotFoundError:
        return None
    return stat.st_size, stat.st_mtime_ns


def _pixels_path(store: Store, decoded: DecodedFolder) -> Path:
    return store.path("images", decoded.sha256, ".npy")


def _files_by_class(root: Path, part: Part) -> dict[str, list[tuple[str, int, int]]]:
    """List each class's images as (relative path, bytes, modification time in ms), sorted by name."""
    if not (root / part).is_dir():
        raise StitchLabError(
            f"a folder of images needs train/CLASS/ and test/CLASS/ with images in them; {root} has no folder {part}/"
        )
    files: dict[str, list[tuple[str, int, int]]] = {}
    for folder in (root / part).iterdir():
        if folder.name.startswith(".") or not folder.is_dir():
            continue
        with os.scandir(folder) as entries:
            files[folder.name] = sorted(
                (f"{part}/{folder.name}/{entry.name}", (stat := entry.stat()).st_size, stat.st_mtime_ns // 1_000_000)
                for entry in entries
                if not entry.name.startswith(".") and entry.name.lower().endswith(EXTENSIONS) and entry.is_file()
            )
        if not files[folder.name]:
            raise StitchLabError(
                f"the class folder {folder} holds no image; images end in {', '.join(EXTENSIONS)}. "
                "Fill it, or remove it from train/ and test/"
            )
    if not files:
        raise StitchLabError(f"{root / part} holds no class; expected a folder of images for each class")
    return files


def _checked_shape(listing: Listing, size: int | None, report: Report) -> tuple[int, int, int]:
    """Find the (C,H,W) of the decoded images from all headers. Raises StitchLabError where one does not fit."""
    grey, first_size = True, (0, 0)
    for n, name in enumerate(listing.files):
        if n % IMAGES_PER_REPORT == 0:
            report(f"looking at {len(listing.files):,} images", 0.2 * n / len(listing.files))
        with _opened(listing.root / name) as image:
            if is_deep(image):
                white_value(image, listing.root / name)  # raises where it is ambiguous
            grey = grey and (is_deep(image) or image.mode in GREY_MODES)
            first_size = first_size if n else image.size
            if size is None and image.size != first_size:
                raise StitchLabError(
                    f"expected images of one size; {listing.files[0]} is {first_size[0]}×{first_size[1]} and {name} is "
                    f"{image.size[0]}×{image.size[1]}. Choose one size for all: folder:{listing.root}@SIZE"
                )
    width, height = first_size if size is None else (size, size)
    return (1 if grey else 3, height, width)


def _write_pixels(listing: Listing, shape: tuple[int, int, int], store: Store, report: Report) -> str:
    """Decode all images into a temporary file, rename it to its final name, and return the SHA-256 of the pixels.

    It writes instead of mapping: on a full disk a write raises an error, while a memory map kills the process.
    """
    total, sha = len(listing.files), hashlib.sha256()
    temporary = store.path("images", f"decoding-{uuid.uuid4().hex}", ".npy")
    try:
        temporary.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": (total, *shape)}
            np.lib.format.write_array_header_1_0(file, header)
            for n, name in enumerate(listing.files):
                if n % IMAGES_PER_REPORT == 0:
                    report(f"decoding image {n:,} of {total:,}", 0.2 + 0.8 * n / total)
                data = _decode_image(listing.root / name, shape).tobytes()
                sha.update(data)
                file.write(data)
        temporary.replace(store.path("images", sha.hexdigest(), ".npy"))
    except OSError as error:
        raise StitchLabError(
            f"could not write {total * int(np.prod(shape)):,} bytes of images to the cache at {store.root} "
            f"({error.strerror}); nothing was half-written. Free some space, or move the cache with STITCHLAB_CACHE"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return sha.hexdigest()


def _decode_image(path: Path, shape: tuple[int, int, int]) -> Pixels:
    """Decode an image to (C,H,W): resize its shorter side, then crop the centre."""
    channels, height, width = shape
    with _opened(path) as image:
        picture = to_8_bits(image, path).convert("L" if channels == 1 else "RGB")
        if picture.size != (width, height):
            scale = height / min(picture.size)
            size = round(picture.width * scale), round(picture.height * scale)
            picture = picture.resize(size, Image.Resampling.BILINEAR)
            left, top = (picture.width - width) // 2, (picture.height - height) // 2
            picture = picture.crop((left, top, left + width, top + height))
        array: Pixels = np.asarray(picture, dtype=np.uint8).reshape(height, width, channels).transpose(2, 0, 1)
        return array


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open an image file; any error of its decoder becomes a StitchLabError that names the file."""
    try:
        with Image.open(path) as image:
            yield image
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise StitchLabError(f"{path} cannot be read as an image; replace it or remove it") from error


def _first_names(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
