"""List the checks of similarity measures; `stitchlab.checks.check_function` finds the function of one.

A check looks at runs on a set of networks and gives each measure statistics.
"""

from __future__ import annotations

from stitchlab.catalog.check_rules import SHARE, WIDTHS, Check, Statistic


def _correlation(name: str, label: str, meaning: str) -> Statistic:
    """Describe a rank correlation, which has to be above 0 beyond chance."""
    return Statistic(name=name, label=label, meaning=meaning, low=-1, high=1, bound=0.0, tested=True)


def _contrast(name: str, label: str, meaning: str, only: str = "") -> Statistic:
    """Describe a contrast: how far cells of same layers are from others, relative to the width of noise."""
    return Statistic(name=name, label=label, meaning=meaning, low=None, high=None, bound=WIDTHS, only=only)


#: Of checks that ask which layer is the best one.
_BEST_LAYER = (
    Statistic(
        name="columns",
        label="By columns",
        meaning="for each end layer, whether the best front layer is the right one (★ marks the best); share of end "
        "layers, ties share the hit",
    ),
    Statistic(
        name="rows",
        label="By rows",
        meaning="for each front layer, whether the best end layer is the right one; share of front layers",
    ),
    Statistic(
        name="symmetrised",
        label="Symmetrised",
        meaning="by columns of the average of both directions, f to g and g to f",
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
            about="Each network is compared with itself. Whatever a measure says of two layers, it should call no "
            "other layer more similar to a layer than that layer itself. Task loss matching sometimes does: the "
            "third anomaly of Balogh and Jelasity.",
            statistics=_BEST_LAYER,
            material=("within",),
        ),
        Check(
            name="correspondence",
            label="Correspondence",
            question="Is the most similar layer of another network the corresponding one?",
            reference="Kornblith et al. 2019",
            about="Networks of one architecture differ by their seeds alone, so the layer that corresponds to a layer "
            "is known. Kornblith et al. ask how often a measure finds it, over all ordered pairs of networks.",
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
            about="Within one network, layers that lie farther apart should be less similar: ReSi's test of layer "
            "monotonicity. Its p-value is Mantel's: how often the mean rank correlation is as large when layers "
            "are shuffled, in each network by itself.",
            statistics=(
                _correlation(
                    "spearman",
                    "Rank correlation",
                    "Spearman's ρ of similarity with closeness of layers, mean over networks",
                ),
                Statistic(
                    name="violations",
                    label="Violations",
                    rule="at most",
                    bound=1 - SHARE,
                    meaning="share of nested pairs of layers of which the outer one is called more similar than the "
                    "inner one",
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
            "is that task loss matching rates them as similar as corresponding layers, or more similar. The check "
            "counts runs on networks with the same layers, within one and across two, in which the far cell is "
            "less similar than both cells of same layers in its row and in its column.",
            statistics=(
                Statistic(
                    name="last-to-first",
                    label="Last to first",
                    meaning="share of runs in which the last front layer into the first end layer is less similar "
                    "than last to last and first to first",
                ),
                Statistic(
                    name="first-to-last",
                    label="First to last",
                    meaning="the same of the first front layer into the last end layer",
                ),
            ),
            material=("within", "across"),
            layers=3,
        ),
        Check(
            name="specificity",
            label="Specificity",
            question="Are same layers of different seeds closer than distant layers of one network?",
            reference="Ding et al. 2021",
            about="Ding et al. ask a measure to be specific: it should not see the seed more than it sees the layer. "
            "Similarities of a layer with the same layer of another network are compared with those with distant "
            "layers (half of the network or more away) of its own network.",
            statistics=(
                Statistic(
                    name="distant",
                    label="Same layer closer",
                    meaning="probability that the same layer of another network is more similar than a distant layer "
                    "of the same network; ties count one half",
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
            question="Does it notice when a layer loses directions that the task needs?",
            reference="Ding et al. 2021; Balogh & Jelasity 2025",
            about="The front's activations keep only their r leading principal directions (one basis, from training "
            "images). A linear probe tells what that costs: a measure should fall as the probe's accuracy falls. "
            "p: how often the mean rank correlation is as large when ranks are shuffled, in each layer and "
            "network by itself.",
            statistics=(
                _correlation(
                    "spearman",
                    "Spearman's ρ with the probe",
                    "of similarity at rank r with the probe's accuracy at r, mean over layers and networks",
                ),
                _correlation("kendall", "Kendall's τ with the probe", "the same by Kendall's τ-b"),
                Statistic(
                    name="unnoticed",
                    label="Directions unnoticed",
                    rule="at most the probe's",
                    meaning="share of directions that can go before the measure is less similar than for any two "
                    "seeds, mean over layers and networks; to be no more than before the probe is less accurate than "
                    "for any seed",
                ),
            ),
            material=("ranks", "across"),
            networks=1,
            layers=1,
        ),
        Check(
            name="controls",
            label="Controls",
            question="Does it rate fronts in which nothing was learned lower?",
            reference="Smith et al. 2025; Bansal et al. 2021",
            about="An untrained network of the same architecture, and noise, take the place of the front. A measure "
            "that calls their best layer as similar to an end layer as a trained network's best layer does not "
            "measure what was learned.",
            statistics=(
                Statistic(
                    name="random",
                    label="Untrained front",
                    meaning="share of end layers whose best trained front layer is more similar than the untrained "
                    "network's best",
                ),
                Statistic(name="noise", label="Noise", meaning="the same against noise"),
            ),
            material=("across", "controls"),
            networks=2,
        ),
        Check(
            name="in-distribution",
            label="In distribution",
            question="Is its accuracy reached by native-looking activations?",
            reference="Balogh & Jelasity 2025; Dowson & Landau 1982",
            about="A stitched network may be accurate by activations that the end network never makes: Balogh and "
            "Jelasity's explanation of what goes wrong. The check counts the cells that are accurate (80 % or more "
            "of what the end network has above chance), and those among them that the Fréchet ratio calls native.",
            statistics=(
                Statistic(
                    name="native",
                    label="Accurate and native",
                    meaning="share of the accurate cells whose activations are in distribution, of each network into "
                    "the next",
                ),
            ),
            material=("frechet",),
            of="accuracy",
        ),
        Check(
            name="stability",
            label="Stability",
            question="Would other images or seeds change what it says?",
            reference="Shao & Wu 1989",
            about="What a measure has to tell apart are same layers and others: the contrast is how much more similar "
            "cells of same layers are than the other cells, on average. It is held against how far cells of "
            "same layers move: by 100 half samples of the evaluation images (the delete-half jackknife; width "
            "of the 95 % interval), by seeds (±1.96 standard deviations over ordered pairs of networks), and, "
            "of direct matching, when it has half its training images. A contrast of less than one such width "
            "is noise.",
            statistics=(
                _contrast(
                    "images",
                    "Evaluation images",
                    "contrast, in widths of the 95 % interval by half samples of the evaluation images",
                ),
                _contrast("seeds", "Seeds", "contrast, in widths of the spread over ordered pairs of networks"),
                _contrast(
                    "training-images",
                    "Half of DM's images",
                    "contrast, in mean changes of the cells of same layers where direct matching has half its training "
                    "images",
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
            question="Is the best of a column beyond what permuted images give?",
            reference="arXiv 2602.14486; Holm 1979",
            about="Where one network's images are permuted, nothing is shared any more. The best value of a column is "
            "held against the best of that column under each permutation, corrected over the columns of a grid "
            "(Holm). What can be reached by chance says nothing.",
            statistics=(
                Statistic(
                    name="columns",
                    label="Beyond chance",
                    meaning="share of columns whose best is beyond chance (p < .05, corrected over columns), of each "
                    "network into the next; p is the largest",
                ),
            ),
            material=("null",),
            of="indices",
        ),
    )
}
