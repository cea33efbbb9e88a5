"""Detectors: one contract for all, and each against an independent way of getting its score."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.covariance import LedoitWolf
from torch import Tensor, nn

from stitchlab.catalog.detectors import DETECTORS, LEARNING, QUICK, Detector
from stitchlab.catalog.ood_metrics import OOD_METRICS, SCORED
from stitchlab.errors import Damaged
from stitchlab.ood.detectors import detector_function, energy
from stitchlab.ood.inputs import Array, Batch, CannotFit, Native, as_map, features
from stitchlab.results.activation_layout import Layout, layout_of

CLASSES = 3
SHAPES = {"map": (4, 6, 6), "map-last": (5, 5, 4), "tokens": (10, 4), "vector": (8,)}
FITTED = [detector for detector in DETECTORS.values() if not detector.compares]


def images(shape: tuple[int, ...], count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Activations of three classes: each has a mean of its own."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % CLASSES
    means = 2 * torch.randn(CLASSES, *shape, generator=torch.Generator().manual_seed(99))
    return means[labels] + torch.randn(count, *shape, generator=generator), labels


def native(shape: tuple[int, ...], count: int = 240, **change: Any) -> Native:
    x, labels = images(shape, count, 0)
    shuffled = torch.Generator().manual_seed(1)

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for chosen in torch.randperm(count, generator=shuffled).split(60):
            yield x[chosen], labels[chosen]

    def outliers() -> Iterator[Tensor]:
        while True:
            yield 3 * torch.randn(60, *shape, generator=shuffled)

    made = Native(
        features=features(x, layout_of(shape)),
        labels=labels.numpy(),
        classes=CLASSES,
        layout=layout_of(shape),
        batches=batches,
        outliers=outliers,
    )
    return replace(made, **change)


def batch(x: Tensor, shape: Layout) -> Batch:
    weight = torch.randn(CLASSES, x[0].numel(), generator=torch.Generator().manual_seed(5))
    return Batch(x, shape, lambda activation: activation.flatten(1) @ weight.T)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training in a second."""
    monkeypatch.setattr(energy, "STEPS", {"training": 60, "fine-tuning": 40})


def test_the_catalog_says_what_it_holds() -> None:
    assert list(DETECTORS) == [
        "energy",
        "mahalanobis",
        "mahalanobis-class",
        "knn",
        "pca-residual",
        "tail-energy",
        "frechet",
    ]
    for name, detector in DETECTORS.items():
        assert detector.name == name
        assert detector.label
        assert detector.meaning
        assert detector.reference
        assert detector.metrics == (("ratio",) if detector.compares else SCORED)
        assert set(detector.metrics) <= set(OOD_METRICS)
    assert [*QUICK, *LEARNING] == [*list(DETECTORS)[1:], "energy"]
    assert [detector.name for detector in DETECTORS.values() if detector.compares] == ["frechet"]


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("detector", [d for d in FITTED if d.name != "tail-energy"], ids=lambda d: d.name)
def test_larger_is_more_native(detector: Detector, kind: str) -> None:
    shape = SHAPES[kind]
    score = detector_function(detector.name)(native(shape))
    inside = score(batch(images(shape, 90, 7)[0], layout_of(shape)))
    outside = score(batch(4 * torch.randn(90, *shape, generator=torch.Generator().manual_seed(8)), layout_of(shape)))
    assert inside.shape == outside.shape == (90,)
    assert inside.dtype == np.float64
    assert (inside[:, None] > outside[None]).mean() > 0.8


@pytest.mark.parametrize("detector", FITTED, ids=lambda d: d.name)
def test_scores_depend_on_nothing_but_the_image(detector: Detector) -> None:
    shape = SHAPES["map"]
    score = detector_function(detector.name)(native(shape))
    x = images(shape, 12, 3)[0]
    whole = score(batch(x, layout_of(shape)))
    parts = np.concatenate([score(batch(part, layout_of(shape))) for part in x.split(5)])
    assert np.allclose(whole, parts, rtol=1e-5)
    assert np.array_equal(score(batch(x, layout_of(shape))), whole)


@pytest.mark.parametrize("detector", [d for d in FITTED if d.name != "tail-energy"], ids=lambda d: d.name)
def test_what_cannot_be_fitted_says_so(detector: Detector) -> None:
    with pytest.raises(CannotFit, match="training images"):
        detector_function(detector.name)(native(SHAPES["map"], 4))
    constant = native(SHAPES["vector"])
    with pytest.raises(CannotFit, match="constant"):
        detector_function(detector.name)(replace(constant, features=np.ones_like(constant.features)))


def test_a_class_with_one_image_is_too_few() -> None:
    few = native(SHAPES["vector"], 30)
    labels = few.labels.copy()
    labels[labels == 2] = 0
    labels[0] = 2
    with pytest.raises(CannotFit, match="one class has 1"):
        detector_function("mahalanobis-class")(replace(few, labels=labels))


def test_native_activations_that_are_not_finite_are_refused() -> None:
    made = native(SHAPES["vector"])
    with pytest.raises(CannotFit, match="infinite"):
        replace(made, features=np.full_like(made.features, np.nan))


def scored(name: str, shape: tuple[int, ...] = SHAPES["map"]) -> tuple[Native, Array, Array]:
    """Native material, new features, and what a detector says of them."""
    material = native(shape)
    x = 1.5 * images(shape, 20, 4)[0]
    return (
        material,
        features(x, layout_of(shape)),
        detector_function(name)(material)(batch(x, layout_of(shape))),
    )


def test_mahalanobis_is_numpys() -> None:
    material, x, found = scored("mahalanobis")
    estimate = LedoitWolf().fit(material.features)
    off = x - material.features.mean(0)
    assert np.allclose(found, -np.einsum("nf,fg,ng->n", off, np.linalg.inv(estimate.covariance_), off))


def test_mahalanobis_by_class_is_numpys() -> None:
    material, x, found = scored("mahalanobis-class")
    means = np.stack([material.features[material.labels == c].mean(0) for c in range(CLASSES)])
    within = material.features - means[material.labels]
    precision = np.linalg.inv(LedoitWolf(assume_centered=True).fit(within).covariance_)
    distances = [np.einsum("nf,fg,ng->n", x - mean, precision, x - mean) for mean in means]
    assert np.allclose(found, -np.min(distances, axis=0))


def test_nearest_neighbours_are_numpys() -> None:
    material, x, found = scored("knn")
    distances = np.sqrt(((x[:, None] - material.features[None]) ** 2).sum(2))
    assert np.allclose(found, -np.sort(distances, 1)[:, 4])


def test_the_pca_residual_is_numpys() -> None:
    material, x, found = scored("pca-residual")
    centre = material.features.mean(0)
    _, values, axes = np.linalg.svd(material.features - centre, full_matrices=False)
    share = np.cumsum(values**2) / (values**2).sum()
    kept = axes[: int(np.searchsorted(share, 0.95, side="right")) + 1]
    off = x - centre
    assert np.allclose(found, -np.linalg.norm(off - off @ kept.T @ kept, axis=1))


def test_the_tail_energy_is_its_logsumexp() -> None:
    shape = layout_of(SHAPES["vector"])
    x = images(SHAPES["vector"], 9, 2)[0]
    score, one = detector_function("tail-energy")(native(SHAPES["vector"])), batch(x, shape)
    assert np.allclose(score(one), np.log(np.exp(one.logits.double().numpy()).sum(1)))


@pytest.mark.parametrize("kind", SHAPES)
def test_features_are_means_and_deviations(kind: str) -> None:
    shape = SHAPES[kind]
    x = images(shape, 6, 0)[0]
    last = {
        "map": lambda a: a.transpose(0, 2, 3, 1).reshape(6, -1, 4),
        "map-last": lambda a: a.reshape(6, -1, 4),
        "tokens": lambda a: a,
        "vector": lambda a: a[:, None],
    }[kind](x.double().numpy())
    expected = last[:, 0] if kind == "vector" else np.concatenate([last.mean(1), last.std(1)], 1)
    assert np.allclose(features(x, layout_of(shape)), expected, atol=1e-5)


def test_activations_become_maps_to_look_at() -> None:
    maps = images(SHAPES["map"], 2, 0)[0]
    assert torch.equal(as_map(maps, layout_of(SHAPES["map"])), maps)
    last = images(SHAPES["map-last"], 2, 0)[0]
    assert torch.equal(as_map(last, layout_of(SHAPES["map-last"])), last.permute(0, 3, 1, 2))
    tokens = images(SHAPES["tokens"], 2, 0)[0]  # a class token and 3×3
    assert torch.equal(as_map(tokens, layout_of((10, 4)))[0, 1], tokens[0, 1:, 1].view(3, 3))
    assert as_map(torch.zeros(2, 7, 4), layout_of((7, 4))).shape == (2, 4, 7, 1)
    assert as_map(torch.zeros(2, 8), layout_of((8,))).shape == (2, 8, 1, 1)


def test_the_margins_are_their_formula() -> None:
    inside, outside = torch.tensor([-30.0, -25.0, -20.0, 1.0]), torch.tensor([-9.0, -7.0, 0.0])
    expected = np.mean([0, 0, 25.0, 26.0**2]) + np.mean([4.0, 0, 0])
    assert energy.margins(inside, outside).item() == pytest.approx(expected)
    inside.requires_grad_(), outside.requires_grad_()
    energy.margins(inside, outside).backward()
    assert inside.grad is not None
    assert outside.grad is not None
    assert (inside.grad >= 0).all(), "native energies are pushed down"
    assert (outside.grad <= 0).all(), "outliers' are pushed up"
    assert inside.grad[2] > 0
    assert outside.grad[0] < 0


@pytest.mark.parametrize("kind", SHAPES)
def test_what_was_learned_is_recalled(kind: str) -> None:
    shape = SHAPES[kind]
    kept: dict[str, Any] = {}
    x = batch(images(shape, 30, 4)[0], layout_of(shape))
    state = torch.get_rng_state()
    first = energy.energy(native(shape, remember=kept.update))(x)
    assert torch.equal(torch.get_rng_state(), state), "the caller's random numbers are left alone"

    def never() -> Iterator[Any]:
        raise AssertionError("it need not be trained again")
        yield

    again = energy.energy(native(shape, recall=lambda: kept, batches=never, outliers=never))(x)
    assert np.array_equal(first, again)
    assert np.array_equal(first, energy.energy(native(shape))(x)), "the same seed learns the same"
    assert not np.array_equal(first, energy.energy(native(shape, seed=1))(x))


def test_a_damaged_memory_is_learned_again() -> None:
    def damaged() -> None:
        raise Damaged("cut off")

    shape = SHAPES["vector"]
    kept: dict[str, Any] = {}
    energy.energy(native(shape, recall=damaged, remember=kept.update))
    assert kept


def test_fine_tuning_brings_energies_to_their_margins() -> None:
    shape = SHAPES["map"]
    x, strange = images(shape, 90, 4)[0], 3 * torch.randn(90, *shape, generator=torch.Generator().manual_seed(3))
    losses = []
    for steps in (0, 200):
        energy.STEPS["fine-tuning"] = steps
        score = energy.energy(native(shape))
        energies = [torch.from_numpy(-score(batch(each, layout_of(shape)))) for each in (x, strange)]
        losses.append(energy.margins(*energies).item())
    assert losses[1] < 0.8 * losses[0]


def test_the_learned_energy_does_not_grow_with_the_size_of_activations() -> None:
    shape = SHAPES["map"]
    score = energy.energy(native(shape))
    x = images(shape, 60, 4)[0]
    assert np.median(score(batch(100 * x, layout_of(shape)))) < 1.5 * np.median(score(batch(x, layout_of(shape)))) + 5


def test_each_form_has_its_network() -> None:
    kinds = {"map": nn.Conv2d, "map-last": nn.Conv2d, "tokens": nn.TransformerEncoderLayer, "vector": nn.Linear}
    for kind, layer in kinds.items():
        made = energy.Classifier(layout_of(SHAPES[kind]), CLASSES, 32).eval()
        assert any(isinstance(module, layer) for module in made.modules())
        assert made(torch.randn(2, *SHAPES[kind])).shape == (2, CLASSES)


@pytest.mark.parametrize("kind", [kind for kind in SHAPES if kind != "map"])
@pytest.mark.parametrize("detector", FITTED, ids=lambda d: d.name)
def test_every_form_is_scored_image_by_image(detector: Detector, kind: str) -> None:
    shape = SHAPES[kind]
    score = detector_function(detector.name)(native(shape))
    x = images(shape, 9, 3)[0]
    whole = score(batch(x, layout_of(shape)))
    assert whole.shape == (9,)
    assert len(set(whole)) == 9
    turned = score(batch(x.flip(0), layout_of(shape)))
    assert np.allclose(turned[::-1], whole, rtol=1e-5)
    assert np.allclose([score(batch(one, layout_of(shape)))[0] for one in x.split(1)], whole, rtol=1e-5)


@pytest.mark.parametrize("detector", [d for d in FITTED if not d.learns], ids=lambda d: d.name)
def test_what_does_not_learn_asks_for_features_only(detector: Detector) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("only what learns may ask for these")

    made = native(SHAPES["map"], batches=never, outliers=never, recall=never, remember=never)
    kept, labels = made.features.copy(), made.labels.copy()
    detector_function(detector.name)(made)
    assert np.array_equal(made.features, kept)
    assert np.array_equal(made.labels, labels)


def test_the_learned_detector_knows_its_classes() -> None:
    shape = SHAPES["map"]
    kept: dict[str, Any] = {}
    energy.energy(native(shape, remember=kept.update))
    classifier = energy.Classifier(layout_of(shape), CLASSES, energy.WIDTH)
    classifier.load_state_dict(kept)
    x, labels = images(shape, 90, 11)
    assert (classifier.eval()(x).argmax(1) == labels).float().mean() > 0.9, "it classifies new native activations"
