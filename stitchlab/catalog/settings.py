"""List StitchLab's settings, which are environment variables; `--help` and docs/running.md show them."""

#: Environment variable -> what it sets.
SETTINGS = {
    "STITCHLAB_CACHE": "the folder that keeps all results",
    "STITCHLAB_GALLERY": "the folder of .stitch files that Home and Runs show; default: the gallery of StitchLab",
    "STITCHLAB_DATA": "the pages offer folders of images that lie in these folders, ROOT:ROOT; default: none",
    "STITCHLAB_WORKERS": "the address of a Dask scheduler, tcp://HOST:PORT, whose workers compute for the pages; "
    "default: workers on this machine",
    "STITCHLAB_TRAIL": "number of epochs whose maps are kept for each stitch, so that the page Activations can show "
    "its training: 2 or more, or 0 for none; default: 12",
}
