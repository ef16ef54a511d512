"""Run the simulators until SIGTERM or SIGINT: `python -m local.simulators --port 4580`."""

import argparse
import signal
import threading
from pathlib import Path

from local.simulators.server import Simulators
from local.simulators.settings import Settings


def main() -> None:
    """Read the command line, serve, and stop cleanly."""
    arguments = _parser().parse_args()
    settings = Settings(webhook_base=arguments.webhook_base, webhook_token=arguments.webhook_token)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with Simulators(port=arguments.port, settings=settings, state=arguments.state) as simulators:
        print(f"vendor simulators: {simulators.url}", flush=True)
        stopped.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.simulators", description=__doc__)
    parser.add_argument("--port", type=int, default=4580, help="port on 127.0.0.1 (default 4580; 0: any free one)")
    parser.add_argument("--webhook-base", default="", help="base address of /webhooks/…")
    parser.add_argument("--webhook-token", default="", help="token of the secret, under which each vendor has its own")
    parser.add_argument("--state", type=Path, help="file that preserves the ledger across restarts")
    return parser


if __name__ == "__main__":
    main()
