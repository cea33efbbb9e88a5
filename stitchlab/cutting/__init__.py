"""Find where a network can be cut, and run it up to a cut or from there on."""
