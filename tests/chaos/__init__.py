"""Chaos: the local stack under load while its processes are killed, and the proof that no message was lost or doubled.

SIGKILL hits the processes of the functions, the vendors' simulators (they keep their ledger in a file, like a vendor),
and the proxy between the functions and DynamoDB. The seed decides when. The emulator itself is not killed: queues and
tables are in its memory, and AWS stores them in three places.
"""
