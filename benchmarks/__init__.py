"""Measures how fast StitchLab is, against independent baselines in the same run: ``python -m benchmarks``."""
