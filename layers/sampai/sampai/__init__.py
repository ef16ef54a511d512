"""Sampai: send messages through the vendors of South-East and South Asia, and know whether each arrived."""

import gc

# Imports leave nothing to collect. With Python's own threshold of 700 objects, collections are 3 % of a cold start.
gc.set_threshold(100_000)
