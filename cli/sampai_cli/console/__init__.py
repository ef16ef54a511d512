"""The pages of `sampai console`: the output of the commands, for a browser on this computer. They change nothing."""
