"""What data will be, said before an image of it is decoded: as loading it says it then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from handy import noting
from PIL import Image

from stitchlab.catalog.data_sets import DATA_SETS
from stitchlab.data import image_folder, registry
from stitchlab.errors import StitchLabError, UnknownName
from stitchlab.store import Store

MODES = {"all colour": ["RGB", "RGB"], "all grey": ["L", "L"], "grey first": ["L", "RGB"], "colour first": ["RGB", "L"]}


def painted(root: Path, modes: list[str]) -> Path:
    """A folder whose training images, one a class, have these modes; its test images the same."""
    for k, mode in enumerate(modes):
        for part in ("train", "test"):
            place = root / part / f"class{k}"
            place.mkdir(parents=True)
            shape = (6, 6, 3) if mode == "RGB" else (6, 6)
            Image.fromarray(np.full(shape, 40 * k, np.uint8)).save(place / "0.png")
    return root


@pytest.mark.parametrize("size", [None, 4])
@pytest.mark.parametrize("modes", MODES)
def test_a_folder_is_outlined_as_it_is_loaded(
    tmp_path: Path, modes: str, size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "cache")
    name = f"folder:{painted(tmp_path / 'images', MODES[modes])}{'' if size is None else f'@{size}'}"
    with monkeypatch.context() as patch:
        patch.setattr(image_folder, "_decode_image", None)  # decoding an image would fail
        before = registry.describe(name, store)
        assert not store.root.exists(), "looking leaves nothing"
    loaded = registry.load(name, store)
    assert (before.shape, before.classes) == (loaded.shape, loaded.classes)
    assert registry.describe(name, store).shape == loaded.shape


@pytest.mark.parametrize("modes", ["all colour", "colour first"])
def test_one_header_tells_that_there_are_colours(tmp_path: Path, modes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = image_folder.list_folder(painted(tmp_path / "images", MODES[modes]), None)
    opened: list[Any] = []
    monkeypatch.setattr(image_folder, "_opened", noting(opened.append, image_folder._opened))
    assert image_folder.image_shape(listed, None, Store(tmp_path / "cache")) == (3, 6, 6)
    assert len(opened) == 1


def test_the_catalogs_data_is_outlined_before_it_is_fetched(tmp_path: Path) -> None:
    store = Store(tmp_path / "cache")
    told = {name: registry.describe(name, store) for name in DATA_SETS}
    assert {name: (made.shape, len(made.classes)) for name, made in told.items()} == {
        "digits": ((1, 8, 8), 10),
        "mnist": ((1, 28, 28), 10),
        "fashion-mnist": ((1, 28, 28), 10),
        "cifar10": ((3, 32, 32), 10),
        "cifar100": ((3, 32, 32), 100),
        "svhn": ((3, 32, 32), 10),
    }
    digits = registry.load("digits", store)
    assert (told["digits"].shape, told["digits"].classes) == (digits.shape, digits.classes)
    with pytest.raises(UnknownName, match="nearest: cifar10"):
        registry.describe("cifar", store)
    with pytest.raises(StitchLabError, match="is not a folder"):
        registry.describe("folder:/nowhere", store)
