"""Seeded defects: faults that the tests must notice. `python -m tests.mutants` proves that they do."""
