"""The toy's arithmetic, run in the browser, against NumPy, SciPy and PyTorch; its state as a text; what it says."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch
from playwright.sync_api import Browser

from stitchlab.catalog.toy import LABELS, NATIVE, SITUATIONS, TAIL
from stitchlab.ui import toy

PURE = ("arithmetic.js", "state.js", "outcome.js")  # what knows no page
CALL = """async ([url, lines]) => {
    const toy = await import(url);
    return JSON.stringify(JSON.parse(lines).map(([name, ...given]) => toy[name](...given)));
}"""
Run = Callable[..., list[Any]]


@pytest.fixture(scope="module")
def run(browser: Browser) -> Any:
    """Calls functions of the toy, each given as its name and arguments, and gives their answers."""
    page = browser.new_page()
    source = base64.b64encode("\n".join(map(toy.part, PURE)).encode()).decode()
    url = f"data:text/javascript;base64,{source}"
    yield lambda *lines: json.loads(page.evaluate(CALL, [url, json.dumps(lines)]))
    page.close()


def drawn(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Front and native points: in general position, on a line, on one through the origin, in one place, nearly so."""
    random, made = np.random.default_rng(0), []
    for k in range(count):
        front, native = random.normal(size=(2, 16, 2)) * random.choice([0.1, 1, 3], size=(2, 1, 1))
        along = random.normal(size=(16, 1))
        front = [
            front,
            along * [2, -1] + [0.5, 1],
            along * [1, 3],
            np.full((16, 2), 1.5),
            np.zeros((16, 2)),
            along * [1, 0],
            front * [1, 1e-4],
        ][k % 7]
        made.append((front, native))
    return made


def test_direct_matching_is_least_squares_of_minimum_norm(run: Run) -> None:
    clouds = drawn(140)
    found = run(*(["directMatching", front.tolist(), native.tolist()] for front, native in clouds))
    for (front, native), (a, b, c, d, e, f) in zip(clouds, found, strict=True):
        solved, *_ = np.linalg.lstsq(np.c_[front, np.ones(16)], native, rcond=1e-7)
        np.testing.assert_allclose([[a, c], [b, d], [e, f]], solved, rtol=1e-7, atol=1e-9 * (1 + abs(solved).max()))


def test_the_gradient_is_that_of_the_cross_entropy(run: Run) -> None:
    random = np.random.default_rng(1)
    for _ in range(5):
        map_, front = random.normal(size=6), random.normal(size=(16, 2))
        [slope] = run(["gradient", map_.tolist(), front.tolist(), LABELS, TAIL])
        for k, step in enumerate(np.eye(6) * 1e-5):
            weights = [(map_ + sign * step) for sign in (1, -1)]
            points = [front @ w[:4].reshape(2, 2).T + w[4:] for w in weights]
            more, less = run(*(["crossEntropy", each.tolist(), LABELS, TAIL] for each in points))
            assert slope[k] == pytest.approx((more - less) / 2e-5, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("rate", [0.005, 0.1])
@pytest.mark.parametrize("situation", SITUATIONS)
def test_training_is_adam(run: Run, situation: str, rate: float) -> None:
    front = torch.tensor(SITUATIONS[situation].front, dtype=torch.float64)
    [start] = run(["initialMap", 7])
    [maps] = run(["taskLossMatching", front.tolist(), LABELS, TAIL, start, rate, 300])
    weight = torch.tensor(start[:4], dtype=torch.float64).reshape(2, 2).requires_grad_()
    bias = torch.tensor(start[4:], dtype=torch.float64).requires_grad_()
    tail, labels = torch.tensor(TAIL, dtype=torch.float64), torch.tensor(LABELS, dtype=torch.float64)
    optimiser = torch.optim.Adam([weight, bias], lr=rate, weight_decay=1e-5)
    for step in range(301):
        np.testing.assert_allclose(maps[step], [*weight.flatten().tolist(), *bias.tolist()], rtol=1e-6, atol=1e-8)
        logits = (front @ weight.T + bias) @ tail[:2] + tail[2]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def test_the_start_is_pytorchs_and_every_seed_has_its_own(run: Run) -> None:
    starts = np.array(run(*(["initialMap", seed] for seed in range(1000))))
    assert abs(starts).max() <= 2**-0.5
    assert len(np.unique(starts)) == starts.size
    np.testing.assert_allclose(starts.mean(0), 0, atol=0.05)
    np.testing.assert_allclose(starts.var(0), 1 / 6, rtol=0.1)  # of U(−1/√2, 1/√2)


def test_distance_and_frechet_ratio(run: Run) -> None:
    for front, native in drawn(28):
        away, ratio = run(["distance", front.tolist(), native.tolist()], ["frechet", front.tolist(), native.tolist()])
        assert away == pytest.approx(((front - native) ** 2).sum() / (native**2).sum())
        one, other = np.cov(front.T), np.cov(native.T)
        # where one cloud is flat, the product is singular and sqrtm warns; a nudge of it is far below what is asked
        root = scipy.linalg.sqrtm((one + 1e-12 * np.eye(2)) @ other).real
        expected = ((front.mean(0) - native.mean(0)) ** 2).sum() + np.trace(one + other - 2 * root)
        assert ratio == pytest.approx(expected / np.trace(other), rel=1e-4, abs=1e-5)
    same = [[1, 1]] * 16
    assert run(["distance", same, [[0, 0]] * 16], ["frechet", NATIVE, same]) == [None, None]
    assert run(["frechet", NATIVE, NATIVE])[0] == pytest.approx(0, abs=1e-12)
    assert run(["crossEntropy", [[900, 0], [-900, 0]], [0, 1], TAIL]) == [pytest.approx(1800)]  # and not infinite


def test_a_state_is_a_text_and_any_other_text_is_none(run: Run) -> None:
    random, data = np.random.default_rng(2), toy.data()
    states = []
    for name, one in SITUATIONS.items():
        points = {"front": [list(point) for point in one.front], "native": [list(point) for point in NATIVE]}
        for cloud, k in zip(random.choice(["front", "native"], 12), random.integers(16, size=12), strict=True):
            points[cloud][k] = (random.integers(-60, 61, size=2) / 20).tolist()
        states.append(
            {"situation": name, "seed": 7, "steps": 600, "rate": 4, "shown": {"dm": True, "tlm": False}, **points}
        )
    texts = run(*(["write", state, data] for state in states))
    assert run(*(["read", text, data] for text in texts)) == states
    assert all(len(text) < 250 and text.replace(".", "").isalnum() and text.endswith(".10") for text in texts)
    assert toy.PARAMETER == "toy"
    good = "1.correspond.1.300.2.03c3c.11"
    assert run(["read", good, data])[0]["front"][0] == [3, 3]
    changes = [
        ("1.c", "2.c"),
        ("correspond", "constructor"),
        ("300", "601"),
        ("300", "-1"),
        ("300.2", "300.5"),
        ("3c3c", "zzzz"),
        ("03c3c", "w3c3c"),
        ("03c3c", "03c3c" * 33),
    ]
    nonsense = [
        None,
        "",
        "1",
        "toString",
        good + ".",
        "%00",
        "<script>",
        "🐑" * 100,
        "1" * 10_000,
        *(good.replace(*change) for change in changes),
    ]
    assert run(*(["read", text, data] for text in nonsense)) == [None] * len(nonsense)


def test_every_situation_shows_what_its_sentence_says(run: Run) -> None:
    data, found = toy.data(), {}
    for name in SITUATIONS:
        [state] = run(["fresh", data, name])
        for seed in range(3):  # from the start that a reader meets first, 1, and from others
            state["seed"] = seed
            [result] = run(["trained", state, data])
            found[name, seed] = run(["judged", state, result, data])[0]["numbers"]
    for (name, seed), numbers in found.items():
        native, dm, tlm = numbers["native"], numbers["dm"], numbers["tlm"]
        assert tlm["right"] == 16, (name, seed)
        assert native["right"] == (0 if name == "swapped" else 16)
        assert native["distance"] == 0
        assert dm["right"] == {"correspond": 16, "line": 12, "class": 16, "swapped": 0}[name]
        if name in ("correspond", "swapped"):
            assert dm["distance"] < 0.02
            assert dm["frechet"] < 0.01
            assert tlm["distance"] > 15 * dm["distance"]
        assert tlm["distance"] > 2 * dm["distance"]
        assert tlm["frechet"] > dm["frechet"]
    near, far = (found[name, 0]["dm"]["distance"] for name in ("correspond", "class"))
    assert far > 10 * near


def test_the_comparison_in_words(run: Run) -> None:
    dm, tlm = {"right": 12, "distance": 0.5}, {"right": 16, "distance": 4.0}
    assert run(["verdict", {"dm": dm, "tlm": tlm}, 300, 16]) == [
        "After 300 steps, task loss matching gets more images right than direct matching (16 and 12 of 16). Its "
        "distance to the native activations, 4.00, is 8.0 times direct matching's (0.50)."
    ]
    undefined = {"right": 12, "distance": None}
    assert "undefined" in run(["verdict", {"dm": undefined, "tlm": undefined}, 0, 16])[0]
