"""Writes a table of all architectures known by name: nodes, cut points, blocks and parameters, from their graphs.

``python -m stitchlab.models.architectures_table > docs/architectures.md`` writes it; a test checks that it is current.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from stitchlab.errors import StitchLabError
from stitchlab.models import zoo
from stitchlab.models.cut_points import cut_points_at_size

INPUT_SIZES = (32, 16, 64, 75, 96, 224)  # pixels a side; a row shows the first that fits
HEAD = """# Architectures

Every architecture that is known by name, at the first input of {sizes} pixels that it takes, for 10
classes of colour images. *Nodes* are operations of its torch.fx graph, *cut points* those after which everything
follows from their output alone, *blocks* those that a grid takes by default. Networks by timm's names and your own code
are looked at when they are named: `python -m stitchlab layers ARCH --size S`.

| architecture | input | nodes | cut points | blocks | first, middle and last block | parameters |
|---|---|---|---|---|---|---|
"""


def row(name: str) -> str:
    """Write the table row of one architecture. Raises StitchLabError where it takes none of `INPUT_SIZES`."""
    architecture = zoo.architecture(name)
    for size in INPUT_SIZES:
        try:
            cuts = cut_points_at_size(architecture, size)
        except StitchLabError:
            continue
        blocks = cuts.defaults()
        examples = [
            f"`{p}` {'×'.join(map(str, cuts.find(p).shape))}"
            for p in dict.fromkeys((blocks[0], blocks[len(blocks) // 2], blocks[-1]))
        ]
        return (
            f"| `{name}` | {size} | {cuts.nodes} | {len(cuts.points)} | {len(blocks)} | {', '.join(examples)} | "
            f"{cuts.points[-1].parameters:,} |"
        )
    raise StitchLabError(f"{name} takes images of none of these sizes: {', '.join(map(str, INPUT_SIZES))}")


def lines(names: Iterable[str]) -> Iterator[str]:
    """Yield the lines of the table, beginning with its head."""
    yield HEAD.format(sizes=", ".join(map(str, INPUT_SIZES))).rstrip("\n")
    yield from (row(name) for name in names)


if __name__ == "__main__":
    sys.stdout.write("\n".join(lines(zoo.known_names())) + "\n")
