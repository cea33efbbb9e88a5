"""Measures the speed of StitchLab and of independent baselines in the same run: ``python -m benchmarks``."""
