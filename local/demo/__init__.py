"""The demo: send one message of every kind through the local stack, and wait for each final status."""
