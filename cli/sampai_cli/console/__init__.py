"""The pages of `sampai console`: what the commands print, for a browser on this computer. They change nothing."""
