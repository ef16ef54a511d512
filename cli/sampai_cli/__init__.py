"""`sampai`: operate a stack, and send messages through it, from the command line.

One module for each group of commands in `commands`. They read and write by the code of the functions: this package and
the layer are installed together.
"""
