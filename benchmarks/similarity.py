"""Measures similarity indices: (c) minibatch CKA and packages, (d) three indices and NumPy, (n) all, and nulls."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision.models.feature_extraction import create_feature_extractor

from benchmarks import plain
from benchmarks.material import Source, load
from benchmarks.measure import Measured, Row, in_own_process, timed
from benchmarks.minibatch_cka import minibatch_cka
from stitchlab.catalog.indices import DEFAULT_INDICES, INDICES
from stitchlab.cutting.fuse_bn import fold_batch_norm
from stitchlab.indices.statistics import IndexRequest, indices
from stitchlab.models import malloc as memory
from stitchlab.models import zoo

BATCH = 128
LAYERS = [
    "relu",
    *(f"layer{stage}.{block}.{name}" for stage in range(1, 5) for block in range(2) for name in ("relu1", "relu2")),
    "avgpool",
]  # 18 of ResNet-18


def minibatch(source: Source, *, quick: bool) -> Iterator[Row]:
    """(c): Measure `benchmarks.minibatch_cka` and two packages on 18×18 layers of untrained ResNet-18."""
    images, fewer = (256, 128) if quick else (10_000, 512)
    device = source.device
    ours = in_own_process(ours_on, device, images, 3 if quick else 1)
    exact = in_own_process(reference_on, device, fewer).result
    error = _max_difference(in_own_process(ours_on, device, fewer, 1).result, exact)
    forward = in_own_process(forward_on, device, images).median
    for name, work in (("pytorch-cka", pytorch_cka_on), ("torch_cka", torch_cka_on)):
        count = images if name == "pytorch-cka" or quick else 512  # torch_cka would take minutes longer
        try:
            baseline, theirs = in_own_process(work, device, count), in_own_process(work, device, fewer).result
        except ModuleNotFoundError:
            yield Row(
                "c",
                f"minibatch CKA: {name} is not installed (benchmarks/requirements.txt)",
                name,
                ours.median,
                None,
                None,
                ours.peak_mb,
                device,
            )
            continue
        ours_here = ours if count == images else in_own_process(ours_on, device, count, 1)
        note = (
            f"ours is benchmarks/minibatch_cka.py; error against float64 on {fewer} images: ours {error:.1e}, "
            f"theirs {_max_difference(theirs, exact):.1e}; both networks alone on {images:,} images: {forward:.3g} s"
        )
        yield Row(
            "c",
            f"minibatch CKA, 18×18 layers of ResNet-18, {count:,} images",
            name,
            ours_here.median,
            baseline.median,
            baseline.median / ours_here.median,
            ours_here.peak_mb,
            device,
            ours_here.spread,
            note,
        )
    yield _full_batch(source, quick=quick)


def all_indices(source: Source, *, quick: bool) -> Iterator[Row]:
    """(d): Measure CKA, PWCCA and Procrustes on every cell."""
    yield _indices(source, ("cka", "pwcca", "opd"), "d", "CKA, PWCCA and OPD", quick=quick)


def of_all(source: Source, *, quick: bool) -> Iterator[Row]:
    """(n): Measure all indices and permutation nulls, relative to the default four; and each index by itself."""
    images, permutations = (200, 25) if quick else (1000, 200)
    default = in_own_process(by_engine, source, DEFAULT_INDICES, images, 3)
    every = in_own_process(by_engine, source, tuple(INDICES), images, 1)
    null = in_own_process(by_engine, source, DEFAULT_INDICES, images, 1, permutations)
    each = ", ".join(
        f"{name} {in_own_process(by_engine, source, (name,), images, 1).median:.2f} / "
        f"{in_own_process(by_engine, source, (name,), images, 1, permutations).median:.1f}"
        for name in INDICES
    )
    what = f"{len(source.cells)} cells, {images:,} images"
    yield Row(
        "n",
        f"all {len(INDICES)} indices, {what}",
        "the default four",
        every.median,
        default.median,
        default.median / every.median,
        every.peak_mb,
        source.device,
        every.spread,
        f"seconds of each alone, its passes included, without / with {permutations} permutations: {each}",
    )
    yield Row(
        "n",
        f"the default four with {permutations} permutations, {what}",
        "values alone",
        null.median,
        default.median,
        default.median / null.median,
        null.peak_mb,
        source.device,
        null.spread,
        "",
    )


def _max_difference(first: Tensor, second: Tensor) -> float:
    return float((first - second).abs().max())


def _full_batch(source: Source, *, quick: bool) -> Row:
    return _indices(source, ("cka",), "c", "full-batch CKA", quick=quick)


def _indices(source: Source, names: tuple[str, ...], row: str, what: str, *, quick: bool) -> Row:
    images = 200 if quick else 1000
    ours = in_own_process(by_engine, source, names, images, 3)
    baseline = in_own_process(by_hand, source, images)
    gap = max(
        abs(ours.result.values[name, cell] - value[name]) for cell, value in baseline.result.items() for name in names
    )
    return Row(
        row,
        f"{what}, {len(source.cells)} cells, {images:,} images",
        "plain-memory",
        ours.median,
        baseline.seconds[0],
        baseline.seconds[0] / ours.median,
        ours.peak_mb,
        source.device,
        ours.spread,
        f"values at most {gap:.1e} apart; the plain side always computes all three",
    )


def by_engine(source: Source, names: tuple[str, ...], images: int, repeats: int, permutations: int = 0) -> Measured:
    """Time the indices of all cells, and their permutation nulls, by the engine.

    Args:
        source: networks and data.
        names: of the indices.
        images, repeats, permutations: number of test images, of repeats, and of permutations of the null.
    """
    pair = load(source).first(1, images).pair
    with memory.freed_memory_reused():
        work = partial(indices, pair, IndexRequest(names, permutations), source.cells, torch.arange(images))
        return timed(work, pair.device, repeats, 0 if permutations else 1)


def by_hand(source: Source, images: int) -> Measured:
    """Time the three indices of some cells by the plain recipe; the time is scaled to all cells."""
    material = load(source).first(1, images)
    pixels, labels = material.pixels(material.data.test)
    cells = source.cells[::7]
    measured = timed(
        lambda: {
            cell: plain.similarities(
                material.front, material.end, *cell, plain.in_memory(pixels, labels, torch.arange(images))
            )
            for cell in cells
        },
        material.pair.device,
        1,
        0,
    )
    measured.seconds = [measured.seconds[0] * len(source.cells) / len(cells)]
    return measured


def _networks(device: str) -> tuple[nn.Module, nn.Module]:
    networks = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        networks.append(zoo.build("resnet18", classes=10, channels=3, size=32).eval().requires_grad_(False).to(device))
    return networks[0], networks[1]


def _images(count: int, device: str) -> Tensor:
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(2)).to(device)


def _extractor(module: nn.Module) -> Callable[[Tensor], Mapping[str, Tensor]]:
    extractor: nn.Module = fold_batch_norm(create_feature_extractor(module, LAYERS)).to(
        memory_format=torch.channels_last
    )
    return extractor


def ours_on(device: str, count: int, repeats: int) -> Measured:
    """Time `benchmarks.minibatch_cka` on networks prepared as the engine prepares them.

    Args:
        device, count, repeats: where to compute, number of images, and of repeats.
    """
    front, end = (_extractor(module) for module in _networks(device))
    images = _images(count, device).contiguous(memory_format=torch.channels_last)
    with memory.freed_memory_reused():
        minibatch_cka(front, end, [images[:BATCH]])  # the warm-up
        return timed(lambda: minibatch_cka(front, end, images.split(BATCH)), torch.device(device), repeats, 0)


def forward_on(device: str, count: int) -> Measured:
    """Time the forward passes of both networks alone, prepared in the same way."""
    front, end = (_extractor(module) for module in _networks(device))
    images = _images(count, device).contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def work() -> None:
        for batch in images.split(BATCH):
            front(batch)
            end(batch)

    with memory.freed_memory_reused():
        front(images[:BATCH])
        return timed(work, torch.device(device), 1, 0)


def reference_on(device: str, count: int) -> Measured:
    """Compute minibatch CKA from the definition (Song et al. 2012) in float64, on the CPU."""

    def grams(run: Callable[[Tensor], Mapping[str, Tensor]], batch: Tensor) -> list[plain.Array]:
        features = [v.flatten(1) for v in run(batch).values()]
        return [(x @ x.T).numpy() for x in features]

    @torch.no_grad()
    def work() -> Tensor:
        runs = [create_feature_extractor(module.double(), LAYERS) for module in _networks("cpu")]
        sums = torch.zeros(3, len(LAYERS), len(LAYERS), dtype=torch.float64)
        for batch in _images(count, "cpu").double().split(BATCH):
            x, y = (grams(run, batch) for run in runs)
            sums += torch.tensor(
                [
                    [[plain.hsic(k, m) for m in y] for k in x],
                    [[plain.hsic(k, k)] * len(y) for k in x],
                    [[plain.hsic(m, m) for m in y]] * len(x),
                ]
            )
        return sums[0] / (sums[1] * sums[2]).sqrt()

    return timed(work, torch.device("cpu"), 1, 0)


def pytorch_cka_on(device: str, count: int) -> Measured:
    """Time the package `pytorch-cka`."""
    from cka import compute_cka

    front, end = _networks(device)
    loader = DataLoader(TensorDataset(_images(count, device)), BATCH)

    def work() -> Tensor:
        values: Tensor = compute_cka(front, end, loader, layers=LAYERS, device=device, progress=False)[0]
        return values.double().cpu()

    return timed(work, torch.device(device), 1, 0 if count > 1000 else 1)


def torch_cka_on(device: str, count: int) -> Measured:
    """Time the package `torch_cka`."""
    from torch_cka import CKA

    front, end = _networks(device)
    loader = DataLoader(TensorDataset(_images(count, device)), BATCH)

    def work() -> Tensor:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()), torch.no_grad():
            warnings.simplefilter("ignore")
            cka = CKA(front, end, "a", "b", LAYERS, LAYERS, device)
            cka.compare(loader)
        values: Tensor = cka.export()["CKA"]
        return values.double().cpu()

    return timed(work, torch.device(device), 1, 0)
