"""Nomsa, Cambodia. Facts, guesses and quirks: docs/reference/providers/nomsa.md."""
