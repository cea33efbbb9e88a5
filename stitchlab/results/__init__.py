"""Read the store: records of networks, data and cut points, runs, and what detectors found."""
