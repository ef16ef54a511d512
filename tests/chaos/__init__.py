"""Chaos tests: kill processes of the local stack and stop its store under load, then check the promises about messages.

A seed determines which processes receive SIGKILL, and when: the processes of the functions, the vendor simulators
(which keep their ledger in a file, as a vendor does) and the DynamoDB proxy. The emulator itself is never killed. It
keeps queues and tables in memory, so its death would lose data that AWS replicates.

After the last kill DynamoDB answers nothing for 10 seconds, and later refuses connections for 60. No kill can excuse
the messages of that time: none may be `unknown` or `unconfirmed` without a call to a vendor, and none a dead letter.
"""

import sys

from local.stack.config import ROOT

sys.path.insert(0, str(ROOT / "layers" / "sampai"))
