"""Score activations by the paper's detector: the energy of a classifier of native activations, fine-tuned on outliers.

A small network learns the classes from native activations of one layer. Then it is fine-tuned with margins, which pull
the energy of native activations below m_in and push that of auxiliary outliers above m_out (Liu et al. 2020). The
outliers are named in the result; stitched activations are never among them. The kinds of layers follow Balogh &
Jelasity, their sizes are our choice.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stitchlab.errors import Damaged
from stitchlab.models.seeded import Seeded
from stitchlab.ood.inputs import Array, Batch, Native, Score
from stitchlab.request import derived_seed
from stitchlab.results.activation_layout import Layout

Stage = Literal["training", "fine-tuning"]

NATIVE_MARGIN = -25.0  # m_in of Liu et al.: energies of native activations are pulled below it
OUTLIER_MARGIN = -7.0  # m_out of Liu et al.: energies of outliers are pushed above it
MARGIN_LOSS_WEIGHT = 0.1  # beside the cross-entropy, also from Liu et al.
STEPS: dict[Stage, int] = {"training": 300, "fine-tuning": 200}  # of about 100 images; large data are not all seen
LEARNING_RATES: dict[Stage, float] = {"training": 2e-3, "fine-tuning": 5e-4}
POSITIONS_PER_SIDE = 8  # to about which maps are reduced, so that the time does not grow with the image
WIDTH = 32  # channels, with fewer than WIDE_FROM_IMAGES training images
WIDE_WIDTH = 64  # channels, with more
WIDE_FROM_IMAGES = 5000
# Group norm bounds the logits. With batch norm, energy grows with the size of activations, and the largest counted as
# the most native: on digits' first layer most stitches of TLM had AUROC 0.0 to 0.4, with group norm 0.86 to 1.0.
NORM_GROUPS = 8


def energy(native: Native) -> Score:
    """Score −E = logsumexp of the fine-tuned classifier's logits, temperature 1: larger is more native.

    It is trained on `Native.batches` and `Native.outliers`, unless `Native.recall` returns what was learned earlier.
    Raises CannotFit for fewer than 2 images a class, or constant features.
    """
    native.enough(2 * native.classes)
    width = WIDTH if len(native.features) < WIDE_FROM_IMAGES else WIDE_WIDTH
    with Seeded(derived_seed("energy", native.seed)):
        classifier = Classifier(native.layout, native.classes, width).to(native.device)
    if not _load_recalled(classifier, native):
        _set_scale(classifier, native)
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
    return F.relu(native - NATIVE_MARGIN).square().mean() + F.relu(OUTLIER_MARGIN - outliers).square().mean()


class Classifier(nn.Module):
    """Classify activations of one layout: by a residual network for maps and vectors, by a transformer for tokens."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, layout: Layout, classes: int, width: int) -> None:
        super().__init__()
        self.layout = layout
        self.register_buffer("mean", torch.zeros(layout.channels))
        self.register_buffer("deviation", torch.ones(layout.channels))
        body = {"tokens": _TokensBody, "vector": _vector_body}.get(layout.kind, _map_body)
        self.body = body(layout, width)
        self.head = nn.Linear(width, classes)

    def forward(self, activation: Tensor) -> Tensor:
        """Turn activations (n, ...) into logits (n, classes)."""
        if self.layout.kind == "map":
            shape = (-1, 1, 1)
            x = (activation - self.mean.view(shape)) / self.deviation.view(shape)
        else:
            x = (activation - self.mean) / self.deviation
        logits: Tensor = self.head(self.body(x.movedim(-1, 1) if self.layout.kind == "map-last" else x))
        return logits


class _Residual(nn.Module):
    def __init__(self, *inner: nn.Module) -> None:
        super().__init__()
        self.inner = nn.Sequential(*inner)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = F.relu(x + self.inner(x))
        return out


def _map_body(layout: Layout, width: int) -> nn.Module:
    def conv(channels: int, stride: int = 1) -> list[nn.Module]:
        return [nn.Conv2d(channels, width, 3, stride, 1, bias=False), nn.GroupNorm(NORM_GROUPS, width)]

    stride = max(1, min(layout.height, layout.width) // POSITIONS_PER_SIDE)
    blocks = [_Residual(*conv(width), nn.ReLU(), *conv(width)) for _ in range(2)]
    return nn.Sequential(*conv(layout.channels, stride), nn.ReLU(), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def _vector_body(layout: Layout, width: int) -> nn.Module:
    def line(features: int) -> list[nn.Module]:
        return [nn.Linear(features, width, bias=False), nn.GroupNorm(NORM_GROUPS, width)]

    blocks = [_Residual(*line(width), nn.ReLU(), *line(width)) for _ in range(2)]
    return nn.Sequential(*line(layout.channels), nn.ReLU(), *blocks)


class _TokensBody(nn.Module):
    def __init__(self, layout: Layout, width: int) -> None:
        super().__init__()
        self.embed = nn.Linear(layout.channels, width)
        self.position = nn.Parameter(0.02 * torch.randn(layout.tokens, width))
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x: Tensor) -> Tensor:
        encoded: Tensor = self.encoder(self.embed(x) + self.position)
        return encoded.mean(1)


def _load_recalled(classifier: Classifier, native: Native) -> bool:
    """Load what was learned on this layer earlier; return False if nothing was, or it is damaged."""
    try:
        state = native.recall()
    except Damaged:
        return False
    if state is not None:
        classifier.load_state_dict(state)
    return state is not None


def _set_scale(classifier: Classifier, native: Native) -> None:
    """Set each channel's mean and standard deviation by the first batch; nearly constant channels share the largest."""
    activation, _ = next(native.batches())
    x = activation.movedim(1, -1) if native.layout.kind == "map" else activation
    deviation, mean = torch.std_mean(x.flatten(0, -2), 0)
    largest = deviation.max()
    largest = largest if largest > 0 else torch.ones_like(largest)  # constant, or one row, whose deviation is NaN
    classifier.mean.copy_(mean)
    classifier.deviation.copy_(torch.where(deviation > 1e-3 * largest, deviation, largest))


def _train(classifier: Classifier, native: Native, stage: Stage) -> None:
    steps, rate = STEPS[stage], LEARNING_RATES[stage]
    optimizer = torch.optim.Adam(classifier.parameters(), lr=rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=steps + 1)
    native_batches, outliers = _endless(native), native.outliers()
    classifier.train()
    for step in range(steps):
        done = step if stage == "training" else STEPS["training"] + step
        native.report(f"{stage} the learned detector", done / sum(STEPS.values()))
        activation, labels = next(native_batches)
        if stage == "training":
            loss = F.cross_entropy(classifier(activation), labels)
        else:
            both = classifier(torch.cat([activation, next(outliers)]))
            logits, outlier_logits = both[: len(activation)], both[len(activation) :]
            margin_loss = margins(-logits.logsumexp(1), -outlier_logits.logsumexp(1))
            loss = F.cross_entropy(logits, labels) + MARGIN_LOSS_WEIGHT * margin_loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def _endless(native: Native) -> Iterator[tuple[Tensor, Tensor]]:
    return itertools.chain.from_iterable(native.batches() for _ in itertools.count())
