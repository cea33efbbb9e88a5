"""Load data sets, and choose which of their images a request uses."""
