"""List architectures by name: their options, the image sizes that they take, and the optimiser that trains them.

They are built by `stitchlab.models.zoo`.

There are also timm's (``timm/NAME``) and the user's own (``FILE.py:CALLABLE``). They are not listed, because only the
machine that builds them knows them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from stitchlab.catalog.training_recipes import TrainingOptimiser
from stitchlab.errors import StitchLabError, check_names

TORCHVISION = "torchvision/"  # prefix of torchvision's architectures
TIMM = "timm/"  # prefix of timm's architectures


RESNET18_WIDTHS = ("doubling", "equal")  # channels from one stage to the next
RESNET18_MAPS = ("halving", "equal")  # size of the maps from one stage to the next


@dataclass(frozen=True, kw_only=True)
class ArchitectureEntry:
    """Describe an architecture, without the code that builds it.

    Attributes:
        options: all its options with their defaults: counts from 1, or words.
        words: the allowed words of each option that takes words.
        smallest, largest: fewest and most pixels a side of its images; no upper limit if None.
        multiple: number that the pixels a side have to be a multiple of.
        optimiser: the one that trains it here; None for a control, which is not trained.
        size: pixels a side of the images that it was designed for.
    """

    name: str
    label: str
    reference: str
    options: dict[str, Any] = field(default_factory=dict)
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)
    smallest: int = 1
    largest: int | None = None
    multiple: int = 1
    optimiser: TrainingOptimiser | None = "sgd"
    size: int = 32

    def resolve(self, options: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the values of all options: those in ``options``, and the defaults of the others.

        Raises StitchLabError for an option that the architecture does not have, or a value that is not allowed.
        """
        options = options or {}
        if unknown := sorted(set(options) - set(self.options)):
            alternatives = f"its options are: {', '.join(self.options)}" if self.options else "it has none"
            raise StitchLabError(f"{self.name} has no option {', '.join(unknown)}; {alternatives}")
        for name, value in options.items():
            if name in self.words:
                check_names(f"{name} of {self.name}", [value], self.words[name])
            elif type(value) is not int or value < 1:
                raise StitchLabError(f"{self.name}'s option {name}: expected a whole number from 1, got {value!r}")
        return {**self.options, **options}

    def check_size(self, size: int) -> None:
        """Check that the network takes images of ``size``×``size`` pixels, as far as this entry knows.

        Raises StitchLabError.
        """
        if self.smallest <= size <= (self.largest or size) and size % self.multiple == 0:
            return
        upper_limit = f" to {self.largest}" if self.largest else " or more"
        step = f" and a multiple of {self.multiple}" if self.multiple > 1 else ""
        raise StitchLabError(
            f"{self.name} takes images of {self.smallest}{upper_limit} pixels a side{step}; these have {size}. "
            "Choose another architecture or input size, or bring the images to another size (folder:PATH@SIZE)"
        )


_HE = "He et al. 2016"
_DOSOVITSKIY = "Dosovitskiy et al. 2021"

ARCHITECTURES: dict[str, ArchitectureEntry] = {
    entry.name: entry
    for entry in (
        ArchitectureEntry(name="tiny10", label="Tiny-10", reference="Kornblith et al. 2019", smallest=27),
        ArchitectureEntry(name="resnet14", label="ResNet-14", reference=_HE, smallest=4),
        ArchitectureEntry(name="resnet20", label="ResNet-20", reference=_HE, smallest=4),
        ArchitectureEntry(
            name="resnet18",
            label="ResNet-18 (3×3 stem)",
            reference=_HE,
            smallest=8,
            options={"width": 64, "widths": RESNET18_WIDTHS[0], "maps": RESNET18_MAPS[0]},
            words={"widths": RESNET18_WIDTHS, "maps": RESNET18_MAPS},
        ),
        ArchitectureEntry(
            name="vit-tiny",
            label="ViT-Tiny (patch 4)",
            reference=_DOSOVITSKIY,
            smallest=8,
            multiple=4,
            optimiser="adamw",
        ),
        ArchitectureEntry(
            name="vit-nano",
            label="ViT-Nano (patch 2)",
            reference=_DOSOVITSKIY,
            smallest=4,
            largest=16,
            multiple=2,
            optimiser="adamw",
            size=8,
        ),
        ArchitectureEntry(
            name="mlp",
            label="Multilayer perceptron",
            reference="Rumelhart et al. 1986",
            options={"width": 256, "depth": 4},
            optimiser="adamw",
        ),
        ArchitectureEntry(name="noise", label="Noise", reference="a control", smallest=4, optimiser=None),
    )
}
#: Architectures that learn nothing. As front networks they should be rated low by any measure of similarity.
CONTROLS = tuple(name for name, entry in ARCHITECTURES.items() if entry.optimiser is None)

#: torchvision's classification networks (version 0.29; the machine that builds networks may have a version with more).
TORCHVISION_NETWORKS = tuple(
    TORCHVISION + name
    for name in (
        "alexnet",
        "convnext_base",
        "convnext_large",
        "convnext_small",
        "convnext_tiny",
        "densenet121",
        "densenet161",
        "densenet169",
        "densenet201",
        "efficientnet_b0",
        "efficientnet_b1",
        "efficientnet_b2",
        "efficientnet_b3",
        "efficientnet_b4",
        "efficientnet_b5",
        "efficientnet_b6",
        "efficientnet_b7",
        "efficientnet_v2_l",
        "efficientnet_v2_m",
        "efficientnet_v2_s",
        "googlenet",
        "inception_v3",
        "maxvit_t",
        "mnasnet0_5",
        "mnasnet0_75",
        "mnasnet1_0",
        "mnasnet1_3",
        "mobilenet_v2",
        "mobilenet_v3_large",
        "mobilenet_v3_small",
        "regnet_x_16gf",
        "regnet_x_1_6gf",
        "regnet_x_32gf",
        "regnet_x_3_2gf",
        "regnet_x_400mf",
        "regnet_x_800mf",
        "regnet_x_8gf",
        "regnet_y_128gf",
        "regnet_y_16gf",
        "regnet_y_1_6gf",
        "regnet_y_32gf",
        "regnet_y_3_2gf",
        "regnet_y_400mf",
        "regnet_y_800mf",
        "regnet_y_8gf",
        "resnet101",
        "resnet152",
        "resnet18",
        "resnet34",
        "resnet50",
        "resnext101_32x8d",
        "resnext101_64x4d",
        "resnext50_32x4d",
        "shufflenet_v2_x0_5",
        "shufflenet_v2_x1_0",
        "shufflenet_v2_x1_5",
        "shufflenet_v2_x2_0",
        "squeezenet1_0",
        "squeezenet1_1",
        "swin_b",
        "swin_s",
        "swin_t",
        "swin_v2_b",
        "swin_v2_s",
        "swin_v2_t",
        "vgg11",
        "vgg11_bn",
        "vgg13",
        "vgg13_bn",
        "vgg16",
        "vgg16_bn",
        "vgg19",
        "vgg19_bn",
        "vit_b_16",
        "vit_b_32",
        "vit_h_14",
        "vit_l_16",
        "vit_l_32",
        "wide_resnet101_2",
        "wide_resnet50_2",
    )
)
_ADAMW_FAMILIES = ("vit", "swin", "maxvit", "convnext")  # torchvision's families that are trained by AdamW here


def offered_names() -> list[str]:
    """List the names of architectures that a page may offer: the catalog's and torchvision's."""
    return [*ARCHITECTURES, *TORCHVISION_NETWORKS]


def entry(name: str) -> ArchitectureEntry:
    """Return the entry of an architecture that `offered_names` lists. Raises UnknownName."""
    check_names("architecture", [name], offered_names())
    if name in ARCHITECTURES:
        return ARCHITECTURES[name]
    short = name.removeprefix(TORCHVISION)
    return ArchitectureEntry(
        name=name, label=f"{short} (torchvision)", reference="torchvision", optimiser=optimiser_of_torchvision(short)
    )


def optimiser_of_torchvision(short: str) -> TrainingOptimiser:
    """Return the optimiser that trains a network of torchvision here; ``short`` is its name in torchvision."""
    return "adamw" if short.startswith(_ADAMW_FAMILIES) else "sgd"
