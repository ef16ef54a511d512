"""Chaos tests: kill processes of the local stack under load, then check that every promise about messages still holds.

A seed determines which processes receive SIGKILL, and when: the processes of the functions, the vendor simulators
(which keep their ledger in a file, as a vendor does) and the DynamoDB proxy. The emulator itself is never killed. It
keeps queues and tables in memory, so its death would lose data that AWS replicates.
"""

import sys

from local.stack.config import ROOT

sys.path.insert(0, str(ROOT / "layers" / "sampai"))
