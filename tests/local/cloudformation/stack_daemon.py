"""A daemon of its own for these tests, and boto3 clients to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

REGION = "us-east-1"


class Daemon:
    """The embedded AWS as a child process; `kill` is SIGKILL."""

    def __init__(self, state: Path, cache: Path) -> None:
        self.state, self.cache = state, cache
        self.process: subprocess.Popen[bytes] | None = None
        self._clients: dict[str, Any] = {}

    def start(self) -> None:
        command = [sys.executable, "-m", "medallion_cli.local.server", "--region", REGION]
        command += ["--state", str(self.state), "--cache", str(self.cache)]
        (self.state / "daemon.json").unlink(missing_ok=True)
        self.process = subprocess.Popen(command)
        until = time.monotonic() + 60
        while not (self.state / "daemon.json").exists():
            assert self.process.poll() is None, "the daemon ended"
            assert time.monotonic() < until, "the daemon is not ready"
            time.sleep(0.1)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=60)

    def client(self, service: str) -> Any:
        """A client, kept: the endpoint stays the same over restarts."""
        if service not in self._clients:
            self._clients[service] = self._new_client(service)
        return self._clients[service]

    def _new_client(self, service: str) -> Any:
        import boto3

        facts = json.loads((self.state / "endpoint.json").read_text())
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=f"http://127.0.0.1:{facts['port']}",
            aws_access_key_id=facts["access_key"],
            aws_secret_access_key=facts["secret_key"],
        )


def cache_folder() -> Path:
    """Shared by runs: the engines' binaries."""
    import tempfile

    folder = Path(tempfile.gettempdir()) / f"medallion-test-cache-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    return folder
