"""The AWS clients: one botocore session, one client for each service, made when it is first asked for."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session, get_session

from sampai.services.ports import UnavailableError

CONFIG: Final = Config(
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": 2},
    max_pool_connections=10,
    tcp_keepalive=True,
)


class Aws:
    """Makes clients. Endpoint, region and credentials come from the environment, which botocore reads by itself."""

    def __init__(self, session: Session | None = None) -> None:
        # At DEBUG botocore logs requests and answers whole: secrets and texts among them.
        logging.getLogger("botocore").setLevel(logging.WARNING)
        self._session = session or get_session()
        self._clients: dict[str, Any] = {}
        self._lock = Lock()

    def client(self, service: str) -> Any:
        """Return the client of a service, such as `sqs`. Clients may be shared by threads."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._session.create_client(service, config=CONFIG)
            return self._clients[service]


@contextmanager
def unavailable(what: str) -> Iterator[None]:
    """Turn whatever botocore raises into UnavailableError.

    Its text holds the error code alone: botocore's own may repeat parameters.
    """
    try:
        yield
    except ClientError as error:
        raise UnavailableError(f"{what}: {error.response.get('Error', {}).get('Code', 'error')}") from None
    except BotoCoreError as error:
        raise UnavailableError(f"{what}: {type(error).__name__}") from None
