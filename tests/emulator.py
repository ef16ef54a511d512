"""The local AWS for tests of adapters: one server per session, new tables for each test."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from boto3.session import Session
from botocore.config import Config

from local.stack import EMULATOR
from local.stack.config import LOCAL, REGION
from sampai.adapters.plain_json import use_plain_json
from tests.template import table


@dataclass(kw_only=True)
class Emulator:
    endpoint_url: str
    _session: Session = field(default_factory=Session)
    _shared: dict[str, Any] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def client(self, service: Any, config: Config | None = None) -> Any:
        """Return a new client of a service. That of DynamoDB writes and reads items as the functions' client does."""
        is_store = service == "dynamodb"
        if is_store:
            config = (config or Config()).merge(Config(parameter_validation=False))
        client = self._session.client(
            service,
            endpoint_url=self.endpoint_url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=config,
        )
        if is_store:
            use_plain_json(client)
        return client

    def shared_client(self, service: str) -> Any:
        """Return the same client of a service each time: a client takes as long to make as several calls."""
        if service not in self._shared:
            self._shared[service] = self.client(service)
        return self._shared[service]

    def new_table(self, logical_id: str) -> str:
        """Make a table of the template under a new name, and return the name."""
        name = f"{logical_id}-{next(self._numbers)}"
        self.shared_client("dynamodb").create_table(TableName=name, **table(logical_id))
        return name

    def new_tables(self) -> tuple[str, str]:
        """Make the tables of the store under new names: messages, correlations."""
        return self.new_table("MessagesTable"), self.new_table("CorrelationsTable")

    def stream_records(self, table_name: str) -> list[dict[str, Any]]:
        """Return the records in the stream of a table."""
        arn = self.shared_client("dynamodb").describe_table(TableName=table_name)["Table"]["LatestStreamArn"]
        streams = self.shared_client("dynamodbstreams")
        records: list[dict[str, Any]] = []
        for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            iterator = streams.get_shard_iterator(
                StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            records += streams.get_records(ShardIterator=iterator)["Records"]
        return records


@contextmanager
def running() -> Iterator[Emulator]:
    """Run a local AWS on a free port until the block ends."""
    port = free_port()
    environment = {**EMULATOR.environment, "GATEWAY_PORT": str(port)}
    # Each test run has a name of its own for its files, so several may run at once.
    server = replace(EMULATOR, name=f"test-emulator-{port}", port=port, environment=environment)
    LOCAL.mkdir(mode=0o700, exist_ok=True)
    process = server.start()
    try:
        yield Emulator(endpoint_url=f"http://127.0.0.1:{port}")
    finally:
        server.stop()
        process.wait()
        server.log.unlink(missing_ok=True)


def unreachable(service: str) -> Any:
    """Return the client of a service at an address without a server."""
    config = Config(retries={"total_max_attempts": 1})
    return Emulator(endpoint_url=f"http://127.0.0.1:{free_port()}").client(service, config)


def free_port() -> int:
    """Return a port on which no program listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
