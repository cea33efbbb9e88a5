"""Write and read .stitch files: one zip with a run's cells, the results of detectors, and the samples behind the plots.

docs/stitch-file.md describes the format for other programs. A file holds names, numbers and small samples, but no code,
no pickle and no network. Every file is checked as if a stranger had sent it (`stitchlab.results.bundle.checks`). Its
results are never mixed with results computed here: an opened run has a store of its own, in memory
(`stitchlab.results.bundle.memory`).
"""

from stitchlab.results.bundle.packing import pack
from stitchlab.results.bundle.reading import unpack

__all__ = ["pack", "unpack"]
