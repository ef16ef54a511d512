"""NusaSMS, Indonesia. Facts, guesses and quirks: docs/reference/providers/nusasms.md."""
