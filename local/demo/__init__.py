"""The demo: one message of every kind through the local stack, each until its final status."""
