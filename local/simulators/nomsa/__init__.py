"""The simulator of Nomsa: one module for each of its APIs."""
