"""List what exists, by name, as literal data: one file for each kind.

Nothing here computes, and nothing here imports more than requests and errors. The functions that compute are found by
the names that stand here: `stitchlab.indices.index_function`, `stitchlab.ood.detectors.detector_function`.
"""
