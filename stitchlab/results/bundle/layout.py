"""Define the .stitch file: the names of its entries, its schema, and the limits that are checked."""

from __future__ import annotations

FORMAT, SCHEMA = "stitchlab", 2  # the highest that is known; a higher one is a later version's
FIRST = 1  # the schema of all files but those that earlier versions would refuse: the ones with tables of checks
SUFFIX = ".stitch"

MB = 2**20
MOST_BYTES = 64 * MB  # of a file
MOST_INFLATED = 160 * MB  # of all entries together

MANIFEST, RUN, CELLS, OOD, SAMPLES = "stitchlab.json", "run.json", "cells.json", "ood.json", "samples.json"
TABLES = "checks.json"
CELLS_CSV, OOD_CSV = "cells.csv", "ood.csv"
OOD_ARRAYS, SAMPLE_ARRAYS, MAP_ARRAYS = "ood.safetensors", "samples.safetensors", "maps.safetensors"

#: Every entry that there may be, in the order in which they lie in a file, with the bytes that it has at most.
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

# What is kept of arrays that would be large.
SCORES = 201  # order statistics of a set of scores or norms, evenly spaced
PREDICTED, PLACED = 1000, 500  # first evaluation images whose predictions, and places in the plane, are kept
CHANNEL_BYTES = MB  # of all statistics of channels together, those of telling cells first

# What a request may ask for at most.
MOST_LAYERS, MOST_CELLS, MOST_CLASSES, MOST_IMAGES = 500, 10_000, 100_000, 10**9
MOST_CHANNELS, MOST_SIDE = 100_000, 4096
MOST_TABLES, MOST_NETWORKS, MOST_PERMUTATIONS = 4, 1000, 10**6  # suites of checks; what each asks for
TEXT, TITLE, STORY = 10_000, 200, 4000  # characters of a text; of a title; of a story or a command
