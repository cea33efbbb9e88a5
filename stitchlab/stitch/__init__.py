"""Stitching: the affine map between two layers is fitted (direct matching, task loss matching) and evaluated."""
