"""Data sets: where they come from, and which of their images a request looks at."""
