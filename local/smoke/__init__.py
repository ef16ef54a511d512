"""Check a deployed stage, without a vendor."""
