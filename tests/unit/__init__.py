"""The tests of all that is no page: a package, since a conftest.py of each folder needs a name of its own."""
