"""Define the lesson of the page Learn: seven steps, each with a claim, a figure, and a question about it.

What is said of a particular run is computed from it (`stitchlab.results.anomalies`), so nothing here has a number.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Step:
    """Describe one step of the lesson.

    Attributes:
        short: its name in the row of steps.
        title: its heading.
        claim: what it shows, in a sentence or two.
        question: what the figure answers.
        terms: words of the glossary that it uses.
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
        question="Choose other images and compare the two rows. Which layer's maps can still say *where* in the image "
        "something is?",
        terms=("activations", "layer", "native activations"),
    ),
    Step(
        short="Stitching",
        title="Two halves, one map",
        claim="**Stitching** runs the front network up to a layer, maps its activations with one affine map, and goes "
        "on in the end network. Both networks stay as they are; only the map is fitted.",
        question="Click layers until the image runs up to the *last* layer of the front network, and then through all "
        "that follows the *first* layer of the end network.",
        terms=("front network", "end network", "stitch", "stitched network", "cut point"),
    ),
    Step(
        short="Two ways",
        title="Two ways to find the map",
        claim="**Direct matching** moves each point onto its target, by least squares. **Task loss matching** only "
        "trains for the right class: any place on the right side of the line will do.",
        question="Read the table: one method gets the classes right although its points are far from the native ones. "
        "Which?",
        terms=("direct matching", "task loss matching", "recipe"),
    ),
    Step(
        short="Heatmaps",
        title="Distant layers that look alike",
        claim="The accuracy of the stitched network is read as similarity: it should fall with the distance between "
        "two layers. **Task loss matching** can rate very distant layers as alike where **direct matching** does "
        "not.",
        question="Click a cell of two *distant* layers that task loss matching calls alike and direct matching does "
        "not.",
        terms=("grid", "cell", "task loss matching", "direct matching", "own accuracy"),
    ),
    Step(
        short="Itself",
        title="A layer less similar to itself",
        claim="A network stitched to *itself* has a known answer: each layer is most similar to itself. A measure "
        "that says otherwise does not measure similarity.",
        question="In the grid of task loss matching, click a layer with itself (on the diagonal) that is rated below "
        "another cell of its row or column, by more than the number of test images leaves open.",
        terms=("cell", "grid", "suite of checks"),
    ),
    Step(
        short="Distribution",
        title="Accurate, by activations that the end network never makes",
        claim="Each point is a cell. To the left, stitched activations look like **native** ones; to the right they "
        "are **out of distribution**. Top right: accurate, yet far from anything that the end network makes.",
        question="Take the cells in which *both* methods are accurate. Whose activations are farther from native?",
        terms=("native activations", "out of distribution", "Fréchet ratio", "believed"),
    ),
    Step(
        short="Checks",
        title="Which measure deserves trust, and what to report",
        claim="A measure of similarity has to pass **checks** whose right answer is known. Each of the anomalies that "
        "you have found is one of them.",
        question="Which check asks whether distant layers are called alike, as you found in step 4?",
        terms=("suite of checks", "similarity index", "chance"),
    ),
)

#: The check of `stitchlab.catalog.checks` that asks what step 4 found, and others to choose from.
ASKS_FOR_DISTANT = "far-layers"
CHOICES_OF_CHECKS = ("correspondence", ASKS_FOR_DISTANT, "sensitivity", "chance")

#: How the stitched network is drawn in step 2, from far to near.
LEVELS = ("Both networks", "The stitched network", "The map at one position")

#: What an answer is called that puts all that the figure shows on one level.
BOTH = "both"
