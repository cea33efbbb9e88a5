"""Define the terms of the field as this project uses them, for a reader who knows what a CNN is.

Help texts and the Learn page take their explanations from here, and docs/glossary.md lists them all. Metrics, indices
and the numbers of detectors have the meanings of their own catalogs, so that no meaning is written twice.
"""

from __future__ import annotations

from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.methods import METRICS
from stitchlab.catalog.ood_metrics import OOD_METRICS
from stitchlab.errors import UnknownName

_CAPITALISED = ("Fréchet", "Gaussian")  # first words of labels that are names of people


def _sentence(meaning: str) -> str:
    """Turn a meaning of a catalog, which begins in lower case and has no full stop, into a sentence."""
    return f"{meaning[0].upper()}{meaning[1:]}."


def _term(label: str) -> str:
    """Write a label as within a sentence: in lower case, unless it begins with a name or an abbreviation.

    >>> _term("Stitching penalty"), _term("FPR95"), _term("Linear CKA"), _term("Fréchet ratio")
    ('stitching penalty', 'FPR95', 'linear CKA', 'Fréchet ratio')
    """
    first_word = label.split()[0]
    return label if first_word in _CAPITALISED or first_word.upper() == first_word else label[0].lower() + label[1:]


_NETWORKS = {
    "activations": (
        "The numbers that a layer outputs for one image: in a CNN a stack of maps (channels × height × width), in a "
        "transformer a vector for each patch."
    ),
    "representation": (
        "A layer's activations over a whole set of images, seen as a cloud of points with one point for each image."
    ),
    "layer": (
        "A step of a network, or a block of steps that has one name, such as layer1.0. "
        "Only layers after which the network can be cut are compared."
    ),
    "cut point": (
        "A place where a network can be divided in two: everything after it is computed from the activations there "
        "alone. "
        "Between two branches that are added up later there is no cut point."
    ),
    "own accuracy": "A network's test accuracy as it is, without a stitch, on the images of the comparison.",
    "seed": (
        "A number that decides everything random: a network's first weights, the order of its training images, the "
        "images that are used. "
        "The same seed gives the same result again."
    ),
    "control": (
        "A front network in which nothing was learned: noise, or an architecture with untrained weights. "
        "A measure that rates it as highly as a trained network does not measure what was learned."
    ),
    "linear probe": (
        "A linear classifier trained on one layer's activations. "
        "Its accuracy shows how easily the classes can be read from that layer, not that the network uses them."
    ),
}

_STITCHING = {
    "front network": (
        "The network that sees the image first. It runs up to the front layer, whose activations go into the stitch."
    ),
    "end network": (
        "The network that continues after the stitch. It runs from the end layer on, up to its prediction."
    ),
    "stitch": (
        "The affine map that turns activations of the front layer into activations for the end network: a 1×1 "
        "convolution with bias on maps, a linear layer on tokens and vectors. "
        "Only the stitch is fitted; both networks stay as they are."
    ),
    "stitched network": (
        "The front network up to the front layer, then the stitch, then the end network after the end layer, run as "
        "one classifier."
    ),
    "stitched activations": (
        "The output of the stitch: the front layer's activations after the map, which the end network receives."
    ),
    "native activations": (
        "The activations that the end network itself has at the end layer for the same images. "
        "Stitched activations are compared with them."
    ),
    "task loss matching": (
        "TLM: the stitch is trained so that the stitched network predicts the labels, by cross-entropy. "
        "Nothing in this loss makes stitched activations similar to native ones."
    ),
    "direct matching": (
        "DM: the stitch is fitted by least squares, so that stitched activations are as close as possible to native "
        "ones. "
        "It uses no labels and needs no training."
    ),
    "recipe": (
        "The settings by which a stitch is trained by task loss matching: optimiser, epochs, learning rate, "
        "augmentation. "
        "Accuracies of different recipes cannot be compared, so every number is shown with its recipe."
    ),
    "cell": "A front layer and an end layer, with all results for the two.",
    "grid": "All cells of two networks as a matrix: rows are front layers, columns are end layers, in network order.",
    "run": (
        "A comparison of two networks: the request, and all results that were computed for it. "
        "The id comes from the request, so the same request is always the same run."
    ),
    "gallery": "Runs that come with StitchLab. They were computed beforehand, so they can be viewed without computing.",
}

_SIMILARITY = {
    "similarity index": (
        "A number computed from two layers' activations on the same images, without stitching. "
        "It says how alike the two representations are. "
        "Indices differ in the changes that they ignore, such as rotation or scale."
    ),
    "chance": (
        "The result of a measure for layers that have nothing in common. "
        "For most indices it is not the lowest similarity: the fewer the images, the more similar such layers look."
    ),
    "permutation null": (
        "The values of an index after one network's images have been shuffled, so that the layers have nothing in "
        "common. "
        "They show what chance gives on the same activations."
    ),
    "calibrated value": (
        "The value of an index on a scale where 0 is the bound that 95 % of permutations stay within, and 1 is a copy. "
        "Values below 0 are reached by chance, too."
    ),
    "suite of checks": (
        "Questions with known answers that are asked of every measure, for instance whether a layer is most similar to "
        "itself. "
        "A measure passes or fails each check, or there is not enough data."
    ),
}

_DISTRIBUTION = {
    "in distribution": (
        "Stitched activations are in distribution if, as a set, they cannot be distinguished from native ones: the end "
        "network could have produced this set itself. "
        "Whether each is the right one for its image is another question."
    ),
    "out of distribution": (
        "Stitched activations are out of distribution if they can be distinguished from native ones: the end network "
        "never produces such activations itself. "
        "If it still answers correctly, that is no evidence of similarity."
    ),
    "detector": (
        "A score of how native activations look, fitted on native activations alone or trained with known outliers as "
        "well. "
        "If it separates stitched activations from native ones, these are out of distribution."
    ),
    "known outliers": (
        "Images whose activations are certainly not native, such as noise. "
        "A detector that does not reject them is of no use at that layer."
    ),
    "believed": (
        "A detector is believed at a layer where it passes two tests: it accepts native activations of images that it "
        "was not fitted on, and it rejects known outliers. "
        "Where it fails a test, its results are shown in grey."
    ),
    "trajectory": "How stitched activations and accuracy change, epoch by epoch, while a stitch is trained.",
}

#: Term → its meaning, in the order in which a reader meets them.
TERMS: dict[str, str] = {
    **_NETWORKS,
    **_STITCHING,
    **{_term(metric.label): _sentence(metric.meaning) for metric in METRICS.values()},
    "Jensen–Shannon divergence": (
        "How far two probability distributions are apart, from 0 (equal) to 1 bit (nothing in common): the mean "
        "Kullback–Leibler divergence of the two from their average."
    ),
    **_SIMILARITY,
    **{_term(index.label): _sentence(index.meaning) for index in INDICES.values() if not index.formula},
    **_DISTRIBUTION,
    **{_term(metric.label): _sentence(metric.meaning) for metric in OOD_METRICS.values()},
}


def meaning(term: str) -> str:
    """Explain a term in one to three sentences. Raises UnknownName.

    >>> meaning("cell")
    'A front layer and an end layer, with all results for the two.'
    """
    if term not in TERMS:
        raise UnknownName("term of the glossary", term, TERMS)
    return TERMS[term]
