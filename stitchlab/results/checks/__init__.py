"""Describe checks of similarity measures on a set of networks: what is asked, which runs it takes, and the result.

It reads only; `stitchlab.checks` computes. `suite` says what is asked, `answers` what the store has of it, `table`
which measures pass.
"""
