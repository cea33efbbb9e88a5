"""Describe checks of similarity measures on a set of networks: the request, the runs that it needs, and the results.

Everything here only reads; `stitchlab.checks` computes. `suite` describes a request and its runs, `plan` lists the work
that is left, `answers` reads results, and `table` decides which measures pass.
"""
