"""Compute grids: write down a run, estimate what its missing results cost, and compute them."""
