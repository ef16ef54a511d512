"""Interfaces to the outside, one module per idea. Services call them; adapters and test fakes implement them."""
