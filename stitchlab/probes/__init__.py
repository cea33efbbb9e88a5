"""Linear probes: how well a linear classifier tells the classes from each layer of a network (Alain & Bengio 2016)."""
