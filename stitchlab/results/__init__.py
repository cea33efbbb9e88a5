"""Read the store: records of networks, data and cut points, runs, and the results of detectors and checks."""
