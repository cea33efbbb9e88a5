"""Minibatch CKA against the definition in float64, and what it must not depend on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from benchmarks.minibatch_cka import MIN_IMAGES, centred_gram, minibatch_cka
from benchmarks.plain import hsic


def layers(seed: int = 0, shift: float = 0.0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    base = torch.randn(40, 6, generator=generator)
    return {
        "map": (base @ torch.randn(6, 48, generator=generator)).reshape(40, 3, 4, 4) + shift,
        "tokens": (base**2 @ torch.randn(6, 20, generator=generator)).reshape(40, 5, 4) + shift,
        "vector": torch.randn(40, 7, generator=generator) + shift,
    }


def run(made: dict[str, Tensor]) -> Callable[[Tensor], dict[str, Tensor]]:
    return lambda places: {name: value[places] for name, value in made.items()}


def test_it_is_the_sum_of_the_definition_over_batches() -> None:
    x, y = layers(0), layers(1)
    batches = list(torch.arange(40).split(16))
    found = minibatch_cka(run(x), run(y), batches)

    def summed(a: Tensor, b: Tensor) -> float:
        flat = [v.flatten(1).double() for v in (a, b)]
        return sum(hsic(*((v[places] @ v[places].T).numpy() for v in flat)) for places in batches)

    for i, a in enumerate(x.values()):
        for j, b in enumerate(y.values()):
            expected = summed(a, b) / (summed(a, a) * summed(b, b)) ** 0.5
            assert float(found[i, j]) == pytest.approx(expected, abs=1e-6)


def test_a_layer_is_most_like_itself_shifted_scaled_and_turned() -> None:
    x, batches = layers(), [torch.arange(20), torch.arange(20, 40)]
    turn = torch.linalg.qr(torch.randn(48, 48, generator=torch.Generator().manual_seed(4)))[0]
    other = {"map": 3 * (x["map"].flatten(1) @ turn) + 50.0}
    assert float(minibatch_cka(run(x), run(other), batches)[0, 0]) == pytest.approx(1, abs=1e-5)


def test_large_means_cost_no_digits() -> None:
    batches = [torch.arange(40)]
    shifted = {name: value + 1000.0 for name, value in layers(1).items()}
    exact = {name: value.double() for name, value in shifted.items()}
    ours, wanted = (minibatch_cka(run(layers(0)), run(made), batches) for made in (shifted, exact))
    torch.testing.assert_close(ours, wanted, atol=1e-4, rtol=0)


def test_unrelated_layers_are_near_nothing_on_average() -> None:
    """Unbiased: the biased CKA of as few images is far from 0."""
    x, y = ({"v": torch.randn(4000, 30, generator=torch.Generator().manual_seed(k))} for k in (0, 1))
    assert abs(float(minibatch_cka(run(x), run(y), torch.arange(4000).split(20))[0, 0])) < 0.02


def test_batches_that_are_too_small_are_left_out() -> None:
    x, y = layers(0), layers(1)
    whole = minibatch_cka(run(x), run(y), [torch.arange(37)])
    more = minibatch_cka(run(x), run(y), [torch.arange(37), torch.arange(37, 40)])
    assert torch.equal(whole, more)
    with pytest.raises(ValueError, match=f"a batch of {MIN_IMAGES} images or more"):
        minibatch_cka(run(x), run(y), [torch.arange(3)])


def test_constant_features_are_not_a_number() -> None:
    flat = {"constant": torch.ones(12, 5)}
    assert minibatch_cka(run(flat), run(layers()), [torch.arange(12)]).isnan().all()


def test_a_centred_gram_sums_to_nothing() -> None:
    made = centred_gram(layers(0, shift=3.0)["map"])
    assert made.dtype == torch.float64
    torch.testing.assert_close(made.sum(0), torch.zeros(40, dtype=torch.float64), atol=1e-8, rtol=0)
    assert torch.equal(made.diagonal(), torch.zeros(40, dtype=torch.float64))
