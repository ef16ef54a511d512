"""Run every command of docs/how-to/invoke-locally.md, `sam local` among them, in a real Docker engine."""
