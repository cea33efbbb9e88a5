"""Tell activations from native ones: detectors, known outliers, and what detectors say of a run's cells."""
