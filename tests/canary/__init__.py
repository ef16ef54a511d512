"""Canaries: unique private values, and a watch on everything that leaves the process."""
