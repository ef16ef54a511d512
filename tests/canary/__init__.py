"""Canary tests: private values that are unique, and a record of everything that leaves the process."""
