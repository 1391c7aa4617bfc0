"""A real MiniStack process on loopback for tests that must not trust a fake: started once, gone with the session."""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.session import Session

READY_WITHIN_SECONDS = 30
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
"""What any client of it needs in its environment; MiniStack takes every key."""


class LocalCloud:
    """`url`: its one endpoint. Every client made here is closed by `stop`."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="kindbill-tests-"))
        self._port = _free_port()
        self._clients: list[Any] = []
        self._shared: dict[str, Any] = {}
        self._session = Session()
        self._tables = 0
        self.url = f"http://127.0.0.1:{self._port}"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ministack"],
            # A clean environment: MiniStack hands its own to everything it starts.
            env={
                "PATH": os.defpath,
                "HOME": str(self._folder),
                "TMPDIR": str(self._folder),
                "GATEWAY_PORT": str(self._port),
                "BIND_HOST": "127.0.0.1",
                "IOT_MTLS_ENABLED": "0",
                "SFTP_ENABLED": "0",
                "DOCKER_HOST": "unix:///nonexistent",
                **CREDENTIALS,
            },
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        give_up = time.monotonic() + READY_WITHIN_SECONDS
        while time.monotonic() < give_up:
            if self._process.poll() is not None:
                raise RuntimeError(f"MiniStack ended with {self._process.returncode} before it was ready")
            if self._is_healthy():
                return
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"MiniStack was not ready within {READY_WITHIN_SECONDS} s")

    def _is_healthy(self) -> bool:
        with closing(HTTPConnection("127.0.0.1", self._port, timeout=1)) as connection:
            try:
                connection.request("GET", "/_ministack/health")
                return connection.getresponse().status == 200
            except (ConnectionError, TimeoutError):
                return False

    def client(self, service: str, **config: Any) -> Any:
        """A low-level client of one service."""
        if service == "s3":
            config = {"signature_version": "s3v4", **config}
        made = self._session.create_client(
            service,
            endpoint_url=self.url,
            region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(s3={"addressing_style": "path"}, proxies={}, **config),
        )
        self._clients.append(made)
        return made

    def shared_client(self, service: str) -> Any:
        """The client of a service that everybody may use: making one takes longer than a hundred calls."""
        if service not in self._shared:
            self._shared[service] = self.client(service)
        return self._shared[service]

    def stream_records(self, table: str) -> Iterator[dict[str, Any]]:
        """What the table's stream carries, from its beginning."""
        streams = self.shared_client("dynamodbstreams")
        arn = self.shared_client("dynamodb").describe_table(TableName=table)["Table"]["LatestStreamArn"]
        for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            place = streams.get_shard_iterator(
                StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while place:
                answer = streams.get_records(ShardIterator=place)
                yield from answer["Records"]
                place = answer.get("NextShardIterator") if answer["Records"] else None

    def fresh_table(self, *, stream: bool = False) -> str:
        """An empty table as template.yaml declares it; returns its name. `stream`: with its stream."""
        self._tables += 1
        name = f"books-{self._tables}"
        self.shared_client("dynamodb").create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
                {"AttributeName": "due_shard", "AttributeType": "N"},
                {"AttributeName": "due_at", "AttributeType": "S"},
            ],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "due",
                    "KeySchema": [
                        {"AttributeName": "due_shard", "KeyType": "HASH"},
                        {"AttributeName": "due_at", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
            if stream
            else {"StreamEnabled": False},
        )
        return name

    def stop(self) -> None:
        """End the process and remove what it left."""
        for made in self._clients:
            made.close()
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _end_with_parent() -> None:
    """Ask the kernel to end this child when the tests die, however they die (PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
