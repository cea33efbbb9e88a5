"""Reading the store: records of networks, data and cut points, runs, what detectors said."""
