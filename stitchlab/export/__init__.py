"""Files out of results."""
