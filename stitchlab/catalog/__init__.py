"""List by name everything that can be chosen, as literal data: one file for each kind, such as indices or detectors.

Nothing here computes, and nothing here imports more than requests and errors. The functions that compute are found by
the names that are listed here: `stitchlab.indices.index_function`, `stitchlab.ood.detectors.detector_function`.
"""
