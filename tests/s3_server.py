"""A local server of S3, and the variables by which processes find it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def running_s3() -> Iterator[str]:
    """Run a server on the loopback device, and yield its address."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def s3_environment(address: str) -> dict[str, str]:
    """Return the variables by which a process finds a server."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
