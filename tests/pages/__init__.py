"""The tests of pages, without a browser: a package, since a conftest.py of each folder needs a name of its own."""
