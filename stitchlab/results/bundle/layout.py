"""Define the .stitch file: the names of its entries, its schema, and the limits that are checked."""

from __future__ import annotations

FORMAT = "stitchlab"
SCHEMA = 2  # the highest schema that this version reads; files with a higher one come from a later version
FIRST_SCHEMA = 1  # the schema of files without tables of checks: versions that know schema 1 alone can read them
SUFFIX = ".stitch"

MB = 2**20
MAX_FILE_BYTES = 64 * MB
MAX_INFLATED_BYTES = 160 * MB  # all entries together

MANIFEST, RUN, CELLS, OOD, SAMPLES = "stitchlab.json", "run.json", "cells.json", "ood.json", "samples.json"
TABLES = "checks.json"
CELLS_CSV, OOD_CSV = "cells.csv", "ood.csv"
OOD_ARRAYS, SAMPLE_ARRAYS, MAP_ARRAYS = "ood.safetensors", "samples.safetensors", "maps.safetensors"

#: Every entry that a file may have, in their order within the file, with the most bytes that each may have.
ENTRIES = {
    MANIFEST: MB,
    RUN: 8 * MB,
    CELLS_CSV: 16 * MB,
    CELLS: 16 * MB,
    OOD_CSV: 16 * MB,
    OOD: 32 * MB,
    OOD_ARRAYS: 64 * MB,
    SAMPLES: MB,
    SAMPLE_ARRAYS: 16 * MB,
    MAP_ARRAYS: 60 * MB,
    TABLES: 4 * MB,
}
NEEDED = (MANIFEST, RUN, CELLS_CSV, CELLS, OOD)

# A file holds only a part of arrays that would be large.
ORDER_STATISTICS = 201  # evenly spaced ones of a set of scores or norms
PREDICTED_IMAGES = 1000  # the first evaluation images, whose predictions a file holds
PLANE_IMAGES = 500  # the first evaluation images, whose places in the native plane a file holds
MAX_CHANNEL_BYTES = MB  # all statistics of channels together; the sampled cells come first

# The most that a request in a file may ask for.
MAX_LAYERS = 500
MAX_CELLS = 10_000
MAX_CLASSES = 100_000
MAX_IMAGES = 10**9
MAX_CHANNELS = 100_000
MAX_SUITES = 4
MAX_NETWORKS = 1000  # of a suite of checks
MAX_PERMUTATIONS = 10**6  # of a null

# The most characters that a text in a file may have.
MAX_TEXT = 10_000
MAX_TITLE = 200
MAX_STORY = 4000  # also of a command
