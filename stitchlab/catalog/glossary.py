"""Define the terms of the field as this project uses them, for a reader who knows what a CNN is.

Help texts and the Learn page take their explanations from here, and docs/glossary.md lists them all. Metrics, indices
and numbers of detectors are told in the words of their own catalogs, so that no meaning stands twice.
"""

from __future__ import annotations

from stitchlab.catalog.indices import INDICES
from stitchlab.catalog.methods import METRICS
from stitchlab.catalog.ood_metrics import OOD_METRICS
from stitchlab.errors import UnknownName


def _sentence(meaning: str) -> str:
    """Turn a catalog's meaning, which begins in lower case and has no full stop, into a sentence."""
    return f"{meaning[0].upper()}{meaning[1:]}."


def _term(label: str) -> str:
    """Write a label as it stands within a sentence: in lower case, unless it is a name or an abbreviation.

    >>> _term("Stitching penalty"), _term("FPR95"), _term("Linear CKA"), _term("Fréchet ratio")
    ('stitching penalty', 'FPR95', 'linear CKA', 'Fréchet ratio')
    """
    first = label.split()[0]
    return label if first in _PEOPLE or first.upper() == first else label[0].lower() + label[1:]


_PEOPLE = ("Fréchet", "Gaussian")

_NETWORKS = {
    "activations": (
        "The numbers that a layer outputs for one image: in a CNN a stack of maps (channels × height × width), in a "
        "transformer a vector for each patch."
    ),
    "representation": (
        "What a layer makes of images: its activations over a whole set of images, seen as a cloud of points."
    ),
    "layer": (
        "A step of a network, or a block of steps that has one name, such as layer1.0. "
        "Only layers at whose end the network can be cut are compared."
    ),
    "cut point": (
        "A place where a network can be divided in two, because everything after it needs nothing of the image but the "
        "activations there. "
        "For instance, the sum of two branches has to be complete."
    ),
    "own accuracy": "A network's test accuracy as it is, not stitched, on the images of the comparison.",
    "seed": (
        "A number from which everything random is drawn: a network's first weights, the order of its training images, "
        "which images are used. "
        "The same seed gives the same draw again."
    ),
    "control": (
        "A front network in which nothing was learned: noise, or an architecture with untrained weights. "
        "A measure that rates it as highly as a trained network does not measure what was learned."
    ),
    "linear probe": (
        "A linear classifier trained on one layer's activations. "
        "Its accuracy says how easily the classes can be told from that layer, not that the network uses it."
    ),
}

_STITCHING = {
    "front network": (
        "The network that sees the image first. It runs up to the front layer, whose activations the stitch maps."
    ),
    "end network": (
        "The network that takes over after the stitch. It runs from after the end layer to its own prediction."
    ),
    "stitch": (
        "The affine map that turns activations of the front layer into activations for the end network: a 1×1 "
        "convolution with bias on maps, a linear layer on tokens and vectors. "
        "It is all that is fitted; both networks stay as they are."
    ),
    "stitched network": (
        "Front network up to the front layer, stitch, end network after the end layer, run as one classifier."
    ),
    "stitched activations": "What the stitch makes of the front layer's activations, and passes to the end network.",
    "native activations": (
        "What the end network itself has at the end layer for the same images: what stitched activations are "
        "compared with."
    ),
    "task loss matching": (
        "TLM: the stitch is trained so that the stitched network predicts the labels, by cross-entropy. "
        "Nothing asks it to make activations like the native ones."
    ),
    "direct matching": (
        "DM: the stitch is fitted by least squares so that stitched activations come as near to the native ones as "
        "they can. "
        "It sees no labels, and needs no training."
    ),
    "recipe": (
        "How a stitch is trained by task loss matching: optimiser, epochs, learning rate, augmentation. "
        "Accuracies of two recipes are not the same measurement, so every number carries its recipe."
    ),
    "cell": "One front layer with one end layer, and all that was computed for the two.",
    "grid": "All cells of two networks as a matrix: rows are front layers, columns are end layers, in network order.",
    "run": (
        "A comparison of two networks: what was asked, and every result that is there. "
        "Its id is made from what was asked, so the same question is the same run."
    ),
    "gallery": "Runs that were computed beforehand and come with StitchLab, to be viewed without computing.",
}

_SIMILARITY = {
    "similarity index": (
        "A number computed from two layers' activations on the same images, without stitching: how alike these two "
        "representations are. "
        "Each index ignores other differences, such as rotation or scale."
    ),
    "chance": (
        "What a measure says of layers that share nothing. "
        "For most indices that is not their lowest similarity, and the fewer the images, the more alike such layers "
        "look."
    ),
    "permutation null": (
        "The values that an index takes when one network's images are shuffled, so that nothing is shared: what chance "
        "gives on the same activations."
    ),
    "calibrated value": (
        "An index's value on a scale on which 0 is the bound that 95 % of permutations do not pass and 1 is a copy. "
        "Below 0, chance gets as far."
    ),
    "suite of checks": (
        "Questions with known answers that are put to every measure, such as whether a layer is most similar to "
        "itself. "
        "A measure passes or fails each, or there is not enough data."
    ),
}

_DISTRIBUTION = {
    "in distribution": (
        "Said of stitched activations that, as a set, cannot be told from native ones: the end network could have made "
        "such a set itself. "
        "Whether each is the right one for its image is another question."
    ),
    "out of distribution": (
        "Said of stitched activations that can be told from native ones: the end network receives what it never makes "
        "itself. "
        "That it still answers correctly is then no evidence of similarity."
    ),
    "detector": (
        "A score of how native an activation looks, fitted on native activations alone or trained with known outliers. "
        "Whether it separates stitched from native ones is the test."
    ),
    "known outliers": (
        "Images, such as noise, whose activations are certainly not native. "
        "A detector that lets them pass is of no use at that layer."
    ),
    "believed": (
        "A detector is believed at a layer where it passes two tests: it accepts native activations of images that it "
        "was not fitted on, and it rejects known outliers. "
        "Where it fails one of them, what it says is shown in grey."
    ),
    "trajectory": "How stitched activations and accuracy change, epoch by epoch, while a stitch is trained.",
}

#: Term → its meaning, in the order in which a reader meets them.
TERMS: dict[str, str] = {
    **_NETWORKS,
    **_STITCHING,
    **{_term(metric.label): _sentence(metric.meaning) for metric in METRICS.values()},
    "Jensen–Shannon divergence": (
        "How far two probability distributions are apart, from 0 (equal) to 1 bit (nothing in common): the mean of "
        "both Kullback–Leibler divergences from their average."
    ),
    **_SIMILARITY,
    **{_term(index.label): _sentence(index.meaning) for index in INDICES.values() if not index.formula},
    **_DISTRIBUTION,
    **{_term(metric.label): _sentence(metric.meaning) for metric in OOD_METRICS.values()},
}


def meaning(term: str) -> str:
    """Explain a term in one to three sentences. Raises UnknownName.

    >>> meaning("cell")
    'One front layer with one end layer, and all that was computed for the two.'
    """
    if term not in TERMS:
        raise UnknownName("term of the glossary", term, TERMS)
    return TERMS[term]
