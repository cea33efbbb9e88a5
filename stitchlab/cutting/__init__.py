"""Finding where a network can be cut, and running it up to a cut or from there on."""
