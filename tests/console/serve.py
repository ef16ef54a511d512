"""Serve the console of a stack in this process, with messages of every kind: `python -m tests.console.serve`.

The first line of the output is the address. A message is added every second, so that the pages have news.
"""

import os
import sys
import threading
import time
from typing import Final

from sampai.adapters.items import to_item
from sampai_cli.console.app import new_app
from sampai_cli.console.reader import Reader
from sampai_cli.console.server import new_server
from sampai_cli.run import now
from sampai_cli.stack import Stack
from tests.harness.fake_stack import fake_stack
from tests.harness.stories import DELIVERED, fill, message

MESSAGES: Final = 300
NEWS_SECONDS: Final = 1.0


def add_news(stack: Stack) -> None:
    for number in range(10_000):
        time.sleep(NEWS_SECONDS)
        news = message(f"news-{number:04}", DELIVERED[:2], began=now())
        stack.client("dynamodb").put_item(TableName=stack.output("MessagesTableName"), Item=to_item(news))


def main() -> None:
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    os.environ.pop("AWS_ENDPOINT_URL", None)
    with fake_stack() as stack:
        fill(stack, now=now(), count=MESSAGES)
        server = new_server(new_app(Reader(lambda: stack), stack_name=stack.name), port=0)
        threading.Thread(target=add_news, args=[stack], daemon=True).start()
        print(f"http://{server.host}:{server.port}", flush=True)
        threading.Thread(target=_end_with_parent, daemon=True).start()
        server.serve_forever()


def _end_with_parent() -> None:
    sys.stdin.read()  # ends when the driver does, however it ends
    os._exit(0)


if __name__ == "__main__":
    main()
