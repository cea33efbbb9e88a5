"""List the checks of similarity measures; `stitchlab.checks.check_function` finds the function of one.

A check computes statistics for each measure, from runs on a set of networks.
"""

from __future__ import annotations

from typing import Literal

from stitchlab.catalog.check_rules import MIN_CONTRAST_WIDTHS, MIN_RIGHT_SHARE, Check, Statistic
from stitchlab.request import Method


def _correlation(name: str, label: str, meaning: str) -> Statistic:
    """Describe a rank correlation, which has to be above 0 by more than chance."""
    return Statistic(name=name, label=label, meaning=meaning, low=-1, high=1, bound=0.0, tested=True)


def _contrast(name: str, label: str, meaning: str, only: Method | Literal[""] = "") -> Statistic:
    """Describe a contrast: how much more similar cells of same layers are than others, in widths of the noise."""
    return Statistic(name=name, label=label, meaning=meaning, low=None, high=None, bound=MIN_CONTRAST_WIDTHS, only=only)


#: The statistics of checks that ask whether the most similar layer is the right one.
_BEST_LAYER = (
    Statistic(
        name="columns",
        label="By columns",
        meaning="share of end layers whose most similar front layer (★) is the right one; where several are equally "
        "similar, the hit is divided among them",
    ),
    Statistic(
        name="rows",
        label="By rows",
        meaning="share of front layers whose most similar end layer is the right one",
    ),
    Statistic(
        name="symmetrised",
        label="Symmetrised",
        meaning="the same as by columns, in the average of both directions, f to g and g to f",
    ),
)


CHECKS = {
    check.name: check
    for check in (
        Check(
            name="self",
            label="Self",
            question="Is a layer most similar to itself?",
            reference="Balogh & Jelasity 2025",
            about="Each network is compared with itself. No measure should rate another layer as more similar to a "
            "layer than the layer itself. Task loss matching sometimes does: this is the third anomaly of Balogh and "
            "Jelasity.",
            statistics=_BEST_LAYER,
            material=("within",),
        ),
        Check(
            name="correspondence",
            label="Correspondence",
            question="Is the most similar layer of another network the corresponding one?",
            reference="Kornblith et al. 2019",
            about="Networks of one architecture differ only by their seeds, so it is known which layers correspond. "
            "Kornblith et al. ask how often a measure finds the corresponding layer, over all ordered pairs of "
            "networks.",
            statistics=_BEST_LAYER,
            material=("across",),
            networks=2,
            same_layers=True,
        ),
        Check(
            name="distance-order",
            label="Distance order",
            question="Are layers less similar the farther apart they are?",
            reference="Klabunde et al. 2024 (ReSi); Mantel 1967",
            about="Within one network, layers that lie farther apart should be less similar. This is ReSi's test of "
            "layer monotonicity. The p-value is that of Mantel's test: how often the mean rank correlation is at least "
            "as large after the layers of each network have been shuffled.",
            statistics=(
                _correlation(
                    "spearman",
                    "Rank correlation",
                    "Spearman's ρ between the similarity of two layers and how close they lie in the network, mean "
                    "over networks",
                ),
                Statistic(
                    name="violations",
                    label="Violations",
                    rule="at most",
                    bound=1 - MIN_RIGHT_SHARE,
                    meaning="share of cases in which a pair of layers is rated as more similar than a pair that lies "
                    "between them",
                ),
            ),
            material=("within",),
            layers=4,
        ),
        Check(
            name="far-layers",
            label="Far layers",
            question="Are the first and the last layer less similar than same layers?",
            reference="Balogh & Jelasity 2025",
            about="The first and the last layer of a network do different things. Balogh and Jelasity's first anomaly "
            "is that task loss matching rates them as similar as corresponding layers, or as more similar. The check "
            "counts the runs in which the cell of these two layers is less similar than the two cells of same layers "
            "in its row and in its column. It looks at runs within one network, and across two networks with the same "
            "layers.",
            statistics=(
                Statistic(
                    name="last-to-first",
                    label="Last to first",
                    meaning="share of runs in which the last front layer is less similar to the first end layer than "
                    "the two last layers and the two first layers are to each other",
                ),
                Statistic(
                    name="first-to-last",
                    label="First to last",
                    meaning="the same for the first front layer and the last end layer",
                ),
            ),
            material=("within", "across"),
            layers=3,
        ),
        Check(
            name="specificity",
            label="Specificity",
            question="Is the same layer of another seed closer than a distant layer of the same network?",
            reference="Ding et al. 2021",
            about="Ding et al. ask a measure to be specific: the layer should matter more than the seed. The check "
            "compares how similar a layer is to the same layer of another network, and to distant layers of its own "
            "network, which are half of the network away or more.",
            statistics=(
                Statistic(
                    name="distant",
                    label="Same layer closer",
                    meaning="probability that the same layer of another network is more similar than a distant layer "
                    "of the same network; a tie counts as one half",
                ),
            ),
            material=("within", "across"),
            networks=2,
            layers=4,
            same_layers=True,
        ),
        Check(
            name="sensitivity",
            label="Sensitivity",
            question="Does the measure fall when a layer loses directions that the task needs?",
            reference="Ding et al. 2021; Balogh & Jelasity 2025",
            about="The front layer's activations are reduced to their r leading principal directions, which are found "
            "once, on training images. A linear probe shows how much the task suffers: a measure should fall as the "
            "accuracy of the probe falls. The p-value says how often the mean rank correlation is at least as large "
            "after the values of r have been shuffled, in each layer and network separately.",
            statistics=(
                _correlation(
                    "spearman",
                    "Spearman's ρ with the probe",
                    "rank correlation between the similarity with r directions and the probe's accuracy with r "
                    "directions, mean over layers and networks",
                ),
                _correlation("kendall", "Kendall's τ with the probe", "the same correlation as Kendall's τ-b"),
                Statistic(
                    name="unnoticed",
                    label="Directions unnoticed",
                    rule="at most the probe's",
                    meaning="share of directions that can be removed before the similarity is lower than between any "
                    "two seeds, mean over layers and networks; it should not exceed the share that can be removed "
                    "before the probe is less accurate than for any seed",
                ),
            ),
            material=("ranks", "across"),
            networks=1,
            layers=1,
        ),
        Check(
            name="controls",
            label="Controls",
            question="Is a front network in which nothing was learned rated lower?",
            reference="Smith et al. 2025; Bansal et al. 2021",
            about="The front network is replaced by an untrained network of the same architecture, and by noise. If "
            "their best layer is rated as similar to an end layer as the best layer of a trained network, the measure "
            "does not measure what was learned.",
            statistics=(
                Statistic(
                    name="random",
                    label="Untrained front",
                    meaning="share of end layers whose most similar trained front layer is more similar than the most "
                    "similar layer of the untrained network",
                ),
                Statistic(
                    name="noise", label="Noise", meaning="the same, with noise in place of the untrained network"
                ),
            ),
            material=("across", "controls"),
            networks=2,
        ),
        Check(
            name="in-distribution",
            label="In distribution",
            question="Are the activations of accurate stitched networks in distribution?",
            reference="Balogh & Jelasity 2025; Dowson & Landau 1982",
            about="A stitched network may be accurate although the end network never produces such activations itself: "
            "this is how Balogh and Jelasity explain the anomalies. The check takes the accurate cells, which reach "
            "80 % or more of the end network's own accuracy, both counted from chance, and counts those whose Fréchet "
            "ratio is that of native activations.",
            statistics=(
                Statistic(
                    name="native",
                    label="Accurate and native",
                    meaning="share of the accurate cells whose activations are in distribution; each network is "
                    "stitched into the next one",
                ),
            ),
            material=("frechet",),
            of="accuracy",
        ),
        Check(
            name="stability",
            label="Stability",
            question="Would other images or seeds change the result?",
            reference="Shao & Wu 1989",
            about="A measure has to distinguish same layers from different layers. The contrast is how much more "
            "similar the cells of same layers are than the other cells, on average. It is compared with how much the "
            "cells of same layers vary: over 100 half samples of the evaluation images (the delete-half jackknife; "
            "width of the 95 % interval), over seeds (±1.96 standard deviations over ordered pairs of networks) and, "
            "for direct matching, between all and half of its training images. A contrast of less than one such width "
            "is noise.",
            statistics=(
                _contrast(
                    "images",
                    "Evaluation images",
                    "contrast, in widths of the 95 % interval over half samples of the evaluation images",
                ),
                _contrast("seeds", "Seeds", "contrast, in widths of the spread over ordered pairs of networks"),
                _contrast(
                    "training-images",
                    "Half of DM's images",
                    "contrast, in units of the mean change of cells of same layers when direct matching has half of "
                    "its training images",
                    only="dm",
                ),
            ),
            material=("halves", "fewer images of DM", "across"),
            layers=2,
            images=8,
        ),
        Check(
            name="chance",
            label="Chance",
            question="Is the best value of a column better than chance, which permuted images give?",
            reference="arXiv 2602.14486; Holm 1979",
            about="After the images of one network have been permuted, the two layers have nothing in common. The best "
            "value of a column is compared with the best value of that column under each permutation, with Holm's "
            "correction over the columns of a grid. A value that chance reaches as well is no evidence of similarity.",
            statistics=(
                Statistic(
                    name="columns",
                    label="Beyond chance",
                    meaning="share of columns whose best value is better than chance (p < .05, corrected over "
                    "columns); each network is compared with the next one, and p is the largest of the columns",
                ),
            ),
            material=("null",),
            of="indices",
        ),
    )
}
