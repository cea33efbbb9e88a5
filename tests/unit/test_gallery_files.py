"""The gallery that comes with StitchLab: its files open, say how they were made, and their numbers come out again."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gallery import make
from stitchlab.catalog.checks import CHECKS
from stitchlab.catalog.methods import METRICS
from stitchlab.results import shelf
from stitchlab.results.checks.answers import answers_of, suites
from stitchlab.results.networks import list_networks
from stitchlab.results.resolve import resolve
from stitchlab.results.run import Run
from stitchlab.store import Store

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
FILES = sorted((ROOT / "gallery").glob("*.stitch"))
ENTRIES = {entry.file: entry for entry in make.ENTRIES}
LIMIT = 10e6  # bytes of all files together


@pytest.fixture(scope="module")
def runs() -> dict[str, Run]:
    """The runs of the project's own gallery; other tests have none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STITCHLAB_GALLERY", str(ROOT / "gallery"))
        return {run.source.file.removesuffix(".stitch"): run for run in shelf.gallery() if run.source is not None}


def test_there_is_a_gallery_and_it_is_small(runs: dict[str, Run]) -> None:
    assert len(runs) == len(FILES) >= 3, "none is damaged"
    assert sum(file.stat().st_size for file in FILES) <= LIMIT


@pytest.mark.parametrize("name", [file.stem for file in FILES])
def test_a_file_is_whole_and_says_how_it_was_made(runs: dict[str, Run], name: str) -> None:
    run, entry = runs[name], ENTRIES[name]
    assert run.source is not None
    assert run.source.gallery
    assert run.complete
    assert (run.record["front"]["name"], run.record["end"]["name"]) == (entry.front, entry.end)
    assert (run.source.title, run.source.story) == (entry.title, entry.story)
    asked = f"compare {entry.front} {entry.end} {entry.compare}".strip().replace("{data}/", "")
    assert f"python -m stitchlab {asked} &&" in f"{run.source.command} &&"
    assert " /" not in run.source.command, "no machine's folders"
    tables = [answers_of(run.store, record) for record in suites(run.store)]
    assert [table and table.checking.names for table in tables] == ([list(entry.checked)] if entry.checked else [])
    assert all(table is not None and set(table.kept) == set(CHECKS) for table in tables)
    for method in run.request.methods:
        values = run.matrix(method, "accuracy")
        assert ((METRICS["accuracy"].low <= values) & (values <= 1)).all()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with the networks of the gallery, as far as their data is on this machine."""
    root = tmp_path_factory.mktemp("gallery")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STITCHLAB_CACHE", str(root / "cache"))
        if (SHARED / "cifar10-png.tar.xz").exists():
            with tarfile.open(SHARED / "cifar10-png.tar.xz") as archive:
                archive.extractall(root / "CIFAR-10", filter="data")
            for folder in ("tiny10", "resnet"):
                (root / folder).symlink_to(SHARED / folder)
        yield Store(root / "cache")


@pytest.mark.slow
@pytest.mark.parametrize("name", [file.stem for file in FILES])
def test_a_cell_that_is_computed_again_has_the_same_numbers(runs: dict[str, Run], name: str, store: Store) -> None:
    """Direct matching and CKA of the first layers; networks that are trained here may be others on other threads."""
    there, entry, data = runs[name], ENTRIES[name], store.root.parent
    images = f"folder:{data}/CIFAR-10" if "{data}" in entry.compare else "digits"
    if images != "digits" and not (data / "CIFAR-10").exists():
        pytest.skip("CIFAR-10 is not on this machine")
    for network in {entry.front, entry.end} - {known.name for known in list_networks(store)}:
        make.call(make.NETWORK_COMMANDS[network].format(data=data))  # in a process with as many threads as it likes
    i, j = there.request.front_layers[0], there.request.end_layers[0]
    asked = f"--data {images} --methods dm --indices cka --front-layers {i} --end-layers {j}"
    make.call(f"compare {entry.front} {entry.end} {asked}")
    run = resolve(store, entry.front, entry.end, methods=["dm"], indices=["cka"], front_layers=[i], end_layers=[j])
    if (run.request.front, run.request.end) != (there.request.front, there.request.end):
        pytest.skip("networks that are trained on this machine have other weights than the gallery's")
    assert run.request.data == there.request.data
    for quantity, allowed in ((("dm", "accuracy"), 5e-4), (("dm", "distance"), 1e-4), (("cka", "similarity"), 1e-5)):
        assert run.value(*quantity, i, j) == pytest.approx(there.value(*quantity, i, j), abs=allowed)
