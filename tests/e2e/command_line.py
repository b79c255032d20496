"""Drives the command line as a user would: a process a command, JSON on stdout, a state folder of the test's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from documented import conforms

REPOSITORY = Path(__file__).parents[2]


@dataclass
class Medallion:
    """The tool on one state home and project; `name` is the environment's prefix, `<project>-local`."""

    home: Path
    name: str = "retail-local"
    project: Path | None = None
    folder: Path = REPOSITORY
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        """The environment's state folder."""
        return self.home / self.name

    def objects(self, bucket: str) -> Path:
        """The folder of one of its buckets: bronze, silver, staging or artifacts."""
        (found,) = (self.state / "objects").glob(f"{self.name}-{bucket}-*")
        return found

    def start(self, *words: str, **streams: Any) -> subprocess.Popen[str]:
        """Starts a command in a process group of its own, as a shell does."""
        project = ["--project", str(self.project)] if self.project else []
        return subprocess.Popen(
            [sys.executable, "-m", "medallion_cli.cli", *project, *words],
            env={**os.environ, "MEDALLION_STATE_HOME": str(self.home), **self.variables},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams},
        )

    def ended(self, *words: str, code: int, seconds: float = 600) -> tuple[str, str]:
        """Runs a command that must end with `code`; its stdout and stderr."""
        process = self.start(*words)
        out, err = process.communicate(timeout=seconds)
        assert process.returncode == code, f"{words}: exit {process.returncode}\n{out}\n{err}"
        return out, err

    def __call__(self, *words: str) -> str:
        """Runs a command that must succeed; its stdout."""
        return self.ended(*words, code=0)[0]

    def json(self, *words: str) -> Any:
        """Runs a command with `--output json`; its document, which is as its schema says."""
        document = json.loads(self("--output", "json", *words))
        conforms(words, document)
        return document

    def refused(self, *words: str, code: int) -> str:
        """Runs a command that must fail: nothing on stdout, at most two lines of error, no traceback."""
        out, err = self.ended(*words, code=code)
        assert out == ""
        return two_lines(err)

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Rows of gold."""
        found: list[dict[str, Any]] = self.json("query", sql)
        return found

    def verified(self) -> dict[str, Any]:
        """The document of a verification that finds everything equal."""
        found: dict[str, Any] = self.json("verify")
        assert found["equal"] is True
        return found

    def client(self, service: str) -> Any:
        """A boto3 client of its embedded AWS."""
        import boto3

        facts = json.loads((self.state / "daemon.json").read_text())
        return boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=facts["endpoint"],
            aws_access_key_id=facts["access_key"],
            aws_secret_access_key=facts["secret_key"],
        )

    def source(self, database: str) -> Any:
        """A connection to its MariaDB as the master user, by the secret."""
        import pymysql

        client = self.client("secretsmanager")
        arn = self.json("outputs")["SourceSecretArn"]
        secret = json.loads(client.get_secret_value(SecretId=arn)["SecretString"])
        return pymysql.connect(
            host=secret["host"],
            port=int(secret["port"]),
            user=secret["username"],
            password=secret["password"],
            database=database,
            local_infile=True,
        )


def two_lines(err: str) -> str:
    """What a failed command said, without the progress before it; AssertionError when that is no error of ours."""
    lines = err.splitlines()
    first = next((n for n, line in enumerate(lines) if line.startswith("error ")), None)
    assert first is not None, err
    assert len(lines) - first <= 2, err
    assert "Traceback" not in err, err
    return "\n".join(lines[first:])
