"""Tells activations from native ones: detectors, known outliers, and what is said of a run's cells."""
