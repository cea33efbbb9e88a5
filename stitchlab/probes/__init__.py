"""Linear probes: how well a linear classifier tells the classes from each layer of one network (Alain & Bengio 2016)."""
