"""The AWS clients: one boto3 session, one client for each service, made when it is first asked for."""

import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any, Final, Literal

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sampai.adapters.authorities import locations
from sampai.adapters.plain_json import use_plain_json
from sampai.services.ports.runtime import UnavailableError

Service = Literal["dynamodb", "events", "lambda", "secretsmanager", "sqs", "ssm"]
"""The services that are called. The layer has the models of no other."""

CONFIG: Final = Config(
    connect_timeout=1,
    read_timeout=2,
    retries={"mode": "standard", "total_max_attempts": 2},
    max_pool_connections=10,
    tcp_keepalive=True,
    # DynamoDB validates parameters by itself. To do so here takes longer than all else in a call.
    parameter_validation=False,
    # botocore builds its own for each call, twice, from twenty parts.
    user_agent="sampai",
)


class Aws:
    """Makes clients. Endpoint, region and credentials come from the environment, which boto3 reads by itself."""

    def __init__(self, session: Session | None = None) -> None:
        # At DEBUG botocore logs requests and answers whole: secrets and texts among them.
        logging.getLogger("botocore").setLevel(logging.WARNING)
        self._session = session or Session()
        self._clients: dict[str, Any] = {}
        self._tls = _Tls(ssl.PROTOCOL_TLS_CLIENT)
        self._lock = Lock()

    def client(self, service: Service) -> Any:
        """Return the client of a service, such as `sqs`. Clients may be shared by threads."""
        with self._lock:
            if service not in self._clients:
                client: Any = self._session.client(service, config=CONFIG)
                self._share_tls(client)
                if service == "dynamodb":
                    use_plain_json(client)
                self._clients[service] = client
            return self._clients[service]

    def deferred(self, service: Service) -> Any:
        """Return what stands for the client of a service and makes it at its first call.

        For what most sandboxes never do: a client takes as long to make as several calls.
        """
        return _Deferred(self, service)

    def _share_tls(self, client: Any) -> None:
        """Make a client's connections share our TLS context.

        botocore takes none (https://github.com/boto/botocore/issues/1822), and has urllib3 read the CA bundle for each
        connection: 28 ms of CPU. If a new version moves the attributes, each connection reads the bundle again, and
        `test_aws.py` fails.
        """
        with suppress(AttributeError):
            client._endpoint.http_session._manager.connection_pool_kw["ssl_context"] = self._tls


class _Deferred:
    def __init__(self, aws: Aws, service: Service) -> None:
        self._aws = aws
        self._service = service

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._aws.client(self._service), operation)


class _Tls(ssl.SSLContext):
    """A client's TLS context that reads a CA bundle once, however often it is told to."""

    _read: frozenset[str] = frozenset()

    def load_verify_locations(self, *places: Any) -> None:
        """Read a bundle. botocore gives its path as the first of three places, and leaves the others empty."""
        bundle = places[0]
        if bundle not in self._read:
            super().load_verify_locations(**locations(bundle))
            self._read |= {bundle}


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
