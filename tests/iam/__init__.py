"""IAM tests: check on a local stack with IAM that no role lacks a permission or has a superfluous one.

First, every message of the demo must reach its expected status without a denied call. Then each permission of each role
is removed in turn, its function is invoked with an event that needs the permission, and IAM must deny that permission.
"""

import sys

from local.stack.config import ROOT

sys.path.insert(0, str(ROOT / "layers" / "sampai"))
