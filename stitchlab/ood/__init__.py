"""Can activations be told from native ones? Detectors, known outliers, and what is said of a run's cells."""
