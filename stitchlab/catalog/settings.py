"""List StitchLab's settings, which are environment variables; `--help` and docs/running.md show them."""

#: By name.
SETTINGS = {
    "STITCHLAB_CACHE": "the folder in which all results are kept",
    "STITCHLAB_GALLERY": "the folder of .stitch files that Home and Runs show; default: those that come with StitchLab",
    "STITCHLAB_DATA": "folders under which the pages offer folders of images, ROOT:ROOT; default: none",
    "STITCHLAB_WORKERS": "the address of a Dask scheduler, tcp://HOST:PORT, whose workers compute what the pages ask "
    "for; default: workers on this machine",
    "STITCHLAB_TRAIL": "for how many epochs a stitch's maps are kept for the page Activations: 2 or more, or 0 for "
    "none; default: 12",
}
