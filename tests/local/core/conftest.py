"""A real daemon in a temporary folder, spoken to by boto3."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from medallion_cli.local import lifecycle

REGION = "us-east-1"


@dataclass
class Daemon:
    """The daemon of one state folder; `client` speaks to whichever process serves it now."""

    state: Path

    def up(self) -> lifecycle.Endpoint:
        return lifecycle.ensure(self.state, region=REGION, notify=lambda *_: None)

    def client(self, service: str, key: str | None = None, **options: Any) -> Any:
        endpoint = self.up()
        return boto3.client(
            service,
            endpoint_url=endpoint.url,
            region_name=REGION,
            aws_access_key_id=key or endpoint.credentials.access_key,
            aws_secret_access_key=endpoint.credentials.secret_key,
            config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}, **options),
        )


@pytest.fixture(scope="session")
def daemon() -> Iterator[Daemon]:
    """One daemon for every test that leaves it running."""
    yield from _daemon()


@pytest.fixture
def own_daemon() -> Iterator[Daemon]:
    """A daemon that the test may kill."""
    yield from _daemon()


def _daemon() -> Iterator[Daemon]:
    """In a folder that other users can enter, which pytest's own are not: engines do not run as root."""
    with (
        tempfile.TemporaryDirectory(prefix="medallion-core-") as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        Path(folder).chmod(0o755)
        patch.setenv("MEDALLION_CACHE_HOME", f"{folder}/cache")
        daemon = Daemon(Path(folder) / "state")
        try:
            yield daemon
        finally:
            lifecycle.stop(daemon.state)


@pytest.fixture
def eventually() -> Callable[[Callable[[], Any]], Any]:
    """Waits for a truthy answer."""
    import time

    def wait(question: Callable[[], Any], seconds: float = 15) -> Any:
        until = time.monotonic() + seconds
        while not (answer := question()):
            assert time.monotonic() < until, "it did not happen"
            time.sleep(0.05)
        return answer

    return wait
