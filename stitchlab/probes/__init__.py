"""Train linear probes: how well can a linear classifier tell the classes from a layer (Alain & Bengio 2016)?"""
