"""The console in a real browser: `make console-test`."""
