"""The implementations of the ports, on AWS and HTTP."""
