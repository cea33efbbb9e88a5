"""Define the lesson of the page Learn: seven steps, each with a claim, a figure, and a question about the figure.

No text here has a number: numbers are computed from the run that the lesson shows (`stitchlab.results.anomalies`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Step:
    """Describe one step of the lesson.

    Attributes:
        short: its name in the row of steps.
        title: its heading.
        claim: what it shows, in two or three sentences.
        question: the question that the figure answers.
        terms: the terms of the glossary that it uses.
    """

    short: str
    title: str
    claim: str
    question: str
    terms: tuple[str, ...]


STEPS = (
    Step(
        short="Activations",
        title="What a layer sees",
        claim="A layer turns an image into **activations**: one map of numbers for each of its channels. In a CNN, "
        "early layers have many positions and few channels, late layers the reverse.",
        question="Choose other images and compare the two rows. Which layer's maps still show *where* in the image "
        "something is?",
        terms=("activations", "layer", "native activations"),
    ),
    Step(
        short="Stitching",
        title="Two halves, one map",
        claim="**Stitching** runs the front network up to a layer, maps the activations there with one affine map, and "
        "continues in the end network. Both networks stay as they are; only the map is fitted.",
        question="Click layers until the image runs up to the *last* layer of the front network, and then through all "
        "layers after the *first* layer of the end network.",
        terms=("front network", "end network", "stitch", "stitched network", "cut point"),
    ),
    Step(
        short="Two ways",
        title="Two ways to find the map",
        claim="**Direct matching** moves each point as close as possible to its native point, by least squares. **Task "
        "loss matching** is only trained to get the class right: any place on the right side of the line will do.",
        question="Read the table: one method gets the classes right although its points are far from the native ones. "
        "Which one?",
        terms=("direct matching", "task loss matching", "recipe"),
    ),
    Step(
        short="Heatmaps",
        title="Distant layers that look alike",
        claim="The accuracy of the stitched network is read as similarity, so it should fall as two layers lie farther "
        "apart. **Task loss matching** can rate very distant layers as alike where **direct matching** does not.",
        question="Click a cell of two *distant* layers that task loss matching rates as alike and direct matching "
        "does not.",
        terms=("grid", "cell", "task loss matching", "direct matching", "own accuracy"),
    ),
    Step(
        short="Itself",
        title="A layer less similar to itself",
        claim="When a network is stitched to *itself*, the right answer is known: each layer is most similar to "
        "itself. A measure that says otherwise does not measure similarity.",
        question="In the grid of task loss matching, click a cell of a layer with itself (on the diagonal) that is "
        "rated lower than another cell of its row or column, by more than chance in so few test images can explain.",
        terms=("cell", "grid", "suite of checks"),
    ),
    Step(
        short="Distribution",
        title="Accurate, with activations that the end network never makes",
        claim="Each point is a cell. On the left, stitched activations look like **native** ones; on the right, they "
        "are **out of distribution**. At the top right, the stitched network is accurate although its activations are "
        "far from all that the end network makes itself.",
        question="Take the cells in which *both* methods are accurate. Which method's activations are farther from "
        "native ones?",
        terms=("native activations", "out of distribution", "Fréchet ratio", "believed"),
    ),
    Step(
        short="Checks",
        title="Which measure deserves trust, and what to report",
        claim="A measure of similarity has to pass **checks** whose right answer is known. Each anomaly that you have "
        "found is one that a check looks for.",
        question="Which check asks whether distant layers are rated as alike, as you found in step 4?",
        terms=("suite of checks", "similarity index", "chance"),
    ),
)

#: The answer of step 7: the check of `stitchlab.catalog.checks` that looks for the anomaly of step 4.
ASKS_FOR_DISTANT = "far-layers"
#: The answers to choose from.
CHOICES_OF_CHECKS = ("correspondence", ASKS_FOR_DISTANT, "sensitivity", "chance")

#: Levels of detail in which step 2 draws the stitched network, from the whole to a part.
LEVELS = ("Both networks", "The stitched network", "The map at one position")

#: The answer that all alternatives in a figure are equal.
BOTH = "both"
