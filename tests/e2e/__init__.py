"""The browser tests: a package, so that its fixtures end before the other tests begin."""
