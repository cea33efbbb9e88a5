"""How fast StitchLab is, against independent baselines measured in the same run: ``python -m benchmarks``."""
