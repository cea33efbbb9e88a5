"""Draw Learn: why a stitched network can be accurate and say nothing about similarity, in seven steps."""

from stitchlab import ui
from stitchlab.ui import embedding, learn

store, jobs = ui.frame("Learn")
with embedding.alone(), embedding.seen():  # a step is one figure with its question, also where the page is embedded
    learn.draw(store, jobs)
