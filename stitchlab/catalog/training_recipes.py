"""List recipes for training networks, by optimiser and size of the data set, and the settings that can be changed.

`stitchlab.models.train` follows them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from stitchlab.errors import StitchLabError, check_names

TrainingOptimiser = Literal["sgd", "adamw"]  #: of whole networks; stitches have `stitchlab.request.Optimiser`

AUGMENTATION_STEPS = ("crop", "flip")


@dataclass(frozen=True)
class Attack:
    """Describe the attack of adversarial training.

    Attributes:
        epsilon: the largest change of a pixel, for pixels in 0..1; 8/255 is usual.
        steps: of projected gradient descent, for each batch.
    """

    epsilon: float
    steps: int = 7

    def __post_init__(self) -> None:
        if not 0 < self.epsilon <= 1 or self.steps < 1:
            raise StitchLabError(
                "an attack needs ε above 0 and at most 1, for pixels in 0..1, and 1 step or more; "
                f"got {self.epsilon} and {self.steps}"
            )


@dataclass(frozen=True)
class Recipe:
    """Describe how a network is trained.

    Attributes:
        lr: the learning rate at the peak of the one-cycle schedule.
        augment: the steps that augment images (`stitchlab.models.train.augmented`).
        label_noise: the share 0..1 of training labels that are replaced by another class's.
        attack: the attack on the images of every training step; None: none.
    """

    optimiser: TrainingOptimiser
    lr: float
    weight_decay: float
    batch: int
    epochs: int
    augment: tuple[str, ...] = ()
    label_noise: float = 0.0
    attack: Attack | None = None

    def __post_init__(self) -> None:
        check_names("augmentation", self.augment, AUGMENTATION_STEPS)
        if self.epochs < 1:
            raise StitchLabError(f"training needs at least 1 epoch, got {self.epochs}")
        if not 0 <= self.label_noise <= 1:
            raise StitchLabError(f"label noise is a share of the labels: expected 0 to 1, got {self.label_noise}")


#: (optimiser, whether the data set is small) -> recipe. Recipes for small data sets were tried on digits: resnet14
#: reaches 99 %, vit-nano 98.7 %.
RECIPES: dict[tuple[TrainingOptimiser, bool], Recipe] = {
    ("sgd", True): Recipe("sgd", lr=0.1, weight_decay=5e-4, batch=64, epochs=12),
    ("sgd", False): Recipe("sgd", lr=0.3, weight_decay=5e-4, batch=256, epochs=30),
    ("adamw", True): Recipe("adamw", lr=2e-3, weight_decay=0.05, batch=64, epochs=20),
    ("adamw", False): Recipe("adamw", lr=1e-3, weight_decay=0.05, batch=256, epochs=30),
}
# A data set with fewer training images is small: it gets smaller batches, so that there are enough steps in an epoch.
MIN_LARGE_TRAINING_SET = 10_000


def recipe(
    optimiser: TrainingOptimiser,
    images: int,
    *,
    natural: bool,
    epochs: int | None = None,
    augment: Sequence[str] | None = None,
    label_noise: float = 0.0,
    attack: Attack | None = None,
) -> Recipe:
    """Return the recipe for an optimiser and a number of training images, with the caller's changes.

    Args:
        optimiser: ``sgd`` or ``adamw``.
        images: number of training images.
        natural: whether a shifted or mirrored image is still an image of its class.
        epochs: passes over the training images; None: the recipe's own number.
        augment: some of `AUGMENTATION_STEPS`; None: all of them for natural images, else none.
        label_noise: share 0..1 of labels that are replaced by another class's.
        attack: the attack on the images of every training step; None: none.

    Raises:
        UnknownName: ``augment`` names an unknown step.
        StitchLabError: epochs or label noise are out of range.
    """
    default = RECIPES[optimiser, images < MIN_LARGE_TRAINING_SET]
    if augment is None:
        augment = AUGMENTATION_STEPS if natural else ()
    epochs = default.epochs if epochs is None else epochs
    return replace(default, epochs=epochs, augment=tuple(augment), label_noise=label_noise, attack=attack)
