"""A server that speaks S3, in this process, and Airflow's connection to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

REGION = "eu-central-1"
USER, PASSWORD = "AKIAEXAMPLE", "not-a-secret"


@dataclass(frozen=True)
class S3:
    """A running server.

    :param url: its address.
    :param client: boto3's client of it.
    """

    url: str
    client: Any

    def connection(self) -> str:
        """Return Airflow's connection to the server."""
        return json.dumps(
            {
                "conn_type": "aws",
                "login": USER,
                "password": PASSWORD,
                "extra": {"endpoint_url": self.url, "region_name": REGION},
            }
        )

    def create(self, bucket: str) -> None:
        """Create a bucket."""
        self.client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})


@contextmanager
def s3_server() -> Iterator[S3]:
    """Start a server. It needs the package ``moto``."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        client = boto3.client(
            "s3", endpoint_url=url, region_name=REGION, aws_access_key_id=USER, aws_secret_access_key=PASSWORD
        )
        yield S3(url, client)
    finally:
        server.stop()
