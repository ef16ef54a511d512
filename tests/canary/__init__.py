"""Canaries: private values that nobody else has, and a watch on everything that leaves the process."""
