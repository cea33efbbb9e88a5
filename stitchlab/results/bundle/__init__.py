"""Write and read .stitch files: one zip with a run's cells, what detectors say and the samples behind the plots.

docs/stitch-file.md describes it for other programs. It holds names, numbers and small samples: no code, no pickle, no
network. What somebody sends is read with distrust (`stitchlab.results.bundle.checks`), and never mixed with what was
computed here: an opened run has a store of its own, in memory (`stitchlab.results.bundle.memory`).
"""

from stitchlab.results.bundle.packing import pack
from stitchlab.results.bundle.reading import unpack

__all__ = ["pack", "unpack"]
