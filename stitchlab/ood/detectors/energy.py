"""Scores by the paper's detector: the energy of a classifier of native activations, fine-tuned on outliers.

A small network learns the classes from native activations of one layer; then it goes on with margins that pull the
energy of native activations below m_in and push that of auxiliary outliers above m_out (Liu et al. 2020). Which
outliers is said in the result; stitched activations are never among them. The layers are Balogh & Jelasity's idea, the
sizes are ours.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stitchlab.errors import Damaged
from stitchlab.models.seeded import Seeded
from stitchlab.ood.inputs import Array, Batch, Native, Score
from stitchlab.request import derived_seed
from stitchlab.results.activation_layout import Layout

M_IN, M_OUT, WEIGHT = -25.0, -7.0, 0.1  # Liu et al.'s margins for energies, and the weight of their loss
STEPS = {"training": 300, "fine-tuning": 200}  # of about 100 images; a step is small, so large data are not all seen
RATES = {"training": 2e-3, "fine-tuning": 5e-4}
SIDE = 8  # maps are brought to about this many positions a side: the time does not grow with the image
WIDTH, WIDE = 32, 64  # channels; the wide one for FEW images or more
FEW = 5000
# Group norm bounds the logits. With batch norm, energy grows with the size of activations, and the hugest counted as
# the most native: on digits' first layer most stitches of TLM had AUROC 0.0 to 0.4, with group norm 0.86 to 1.0.
GROUPS = 8


def energy(native: Native) -> Score:
    """Score −E = logsumexp of the fine-tuned classifier's logits, temperature 1: larger is more native.

    Trained on `Native.batches` and `Native.outliers` unless `Native.recall` still has it.
    Raises CannotFit for fewer than 2 images a class, or constant features.
    """
    native.enough(2 * native.classes)
    width = WIDTH if len(native.features) < FEW else WIDE
    with Seeded(derived_seed("energy", native.seed)):
        classifier = Classifier(native.form, native.classes, width).to(native.device)
    if not _recalled(classifier, native):
        _scale(classifier, native)
        _train(classifier, native, "training")
        _train(classifier, native, "fine-tuning")
        native.remember(classifier.state_dict())
    classifier.eval()

    @torch.no_grad()
    def score(batch: Batch) -> Array:
        logits: Tensor = classifier(batch.activation)
        return logits.logsumexp(1).cpu().double().numpy()

    return score


def margins(native: Tensor, outliers: Tensor) -> Tensor:
    """Compute the fine-tuning loss of energies (n,), (m,): mean (E_in − m_in)₊² + mean (m_out − E_out)₊² (Liu et al.).

    >>> margins(torch.tensor([-25.0, -23.0]), torch.tensor([-7.0, -10.0])).item()
    6.5
    """
    return F.relu(native - M_IN).square().mean() + F.relu(M_OUT - outliers).square().mean()


class Classifier(nn.Module):
    """Classifies activations of one form: residual for maps and vectors, a transformer for tokens."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, form: Layout, classes: int, width: int) -> None:
        super().__init__()
        self.form = form
        self.register_buffer("mean", torch.zeros(form.channels))
        self.register_buffer("deviation", torch.ones(form.channels))
        body = {"tokens": _Tokens, "vector": _vector}.get(form.kind, _map)
        self.body = body(form, width)
        self.head = nn.Linear(width, classes)

    def forward(self, activation: Tensor) -> Tensor:
        """Turn activations (n, ...) into logits (n, classes)."""
        if self.form.kind == "map":
            shape = (-1, 1, 1)
            x = (activation - self.mean.view(shape)) / self.deviation.view(shape)
        else:
            x = (activation - self.mean) / self.deviation
        logits: Tensor = self.head(self.body(x.movedim(-1, 1) if self.form.kind == "map-last" else x))
        return logits


class _Residual(nn.Module):
    def __init__(self, *inner: nn.Module) -> None:
        super().__init__()
        self.inner = nn.Sequential(*inner)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = F.relu(x + self.inner(x))
        return out


def _map(form: Layout, width: int) -> nn.Module:
    def conv(channels: int, stride: int = 1) -> list[nn.Module]:
        return [nn.Conv2d(channels, width, 3, stride, 1, bias=False), nn.GroupNorm(GROUPS, width)]

    stride = max(1, min(form.height, form.width) // SIDE)
    blocks = [_Residual(*conv(width), nn.ReLU(), *conv(width)) for _ in range(2)]
    return nn.Sequential(*conv(form.channels, stride), nn.ReLU(), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def _vector(form: Layout, width: int) -> nn.Module:
    def line(features: int) -> list[nn.Module]:
        return [nn.Linear(features, width, bias=False), nn.GroupNorm(GROUPS, width)]

    blocks = [_Residual(*line(width), nn.ReLU(), *line(width)) for _ in range(2)]
    return nn.Sequential(*line(form.channels), nn.ReLU(), *blocks)


class _Tokens(nn.Module):
    def __init__(self, form: Layout, width: int) -> None:
        super().__init__()
        self.embed = nn.Linear(form.channels, width)
        self.position = nn.Parameter(0.02 * torch.randn(form.tokens, width))
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x: Tensor) -> Tensor:
        encoded: Tensor = self.encoder(self.embed(x) + self.position)
        return encoded.mean(1)


def _recalled(classifier: Classifier, native: Native) -> bool:
    try:
        state = native.recall()
    except Damaged:
        return False
    if state is not None:
        classifier.load_state_dict(state)
    return state is not None


def _scale(classifier: Classifier, native: Native) -> None:
    """Scale channels to mean 0 and deviation 1, as seen on the first batch; dead ones stay as large as they are."""
    activation, _ = next(native.batches())
    x = activation.movedim(1, -1) if native.form.kind == "map" else activation
    deviation, mean = torch.std_mean(x.flatten(0, -2), 0)
    largest = deviation.max()
    largest = largest if largest > 0 else torch.ones_like(largest)  # constant, or one row, whose deviation is NaN
    classifier.mean.copy_(mean)
    classifier.deviation.copy_(torch.where(deviation > 1e-3 * largest, deviation, largest))


def _train(classifier: Classifier, native: Native, stage: str) -> None:
    steps, rate = STEPS[stage], RATES[stage]
    optimizer = torch.optim.Adam(classifier.parameters(), lr=rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=steps + 1)
    activations, others = _endless(native), native.outliers()
    classifier.train()
    for step in range(steps):
        before = STEPS["training"] if stage == "fine-tuning" else 0
        native.report(f"{stage} the learned detector", (before + step) / sum(STEPS.values()))
        activation, labels = next(activations)
        if stage == "training":
            loss = F.cross_entropy(classifier(activation), labels)
        else:
            both = classifier(torch.cat([activation, next(others)]))
            logits, outside = both[: len(activation)], both[len(activation) :]
            loss = F.cross_entropy(logits, labels) + WEIGHT * margins(-logits.logsumexp(1), -outside.logsumexp(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def _endless(native: Native) -> Iterator[tuple[Tensor, Tensor]]:
    return itertools.chain.from_iterable(native.batches() for _ in itertools.count())
