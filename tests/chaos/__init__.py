"""Chaos: the local stack under load while its processes are killed, and the proof that no message suffered for it.

SIGKILL hits, at random and yet the same for each seed: the processes in which the functions run, the vendors'
simulators (which keep their ledger in a file, as a vendor does), and the functions' way to DynamoDB. Not killed is the
emulator itself: queues and tables are in its memory, so that its death is the loss of what AWS keeps in three places.
"""
