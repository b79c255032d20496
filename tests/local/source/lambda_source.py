"""The source Lambda against a MariaDB of its own: the zip's documents in a folder, secrets in moto.

Run as a script it is the Lambda's process: `python lambda_source.py FOLDER EVENT…`; it prints one JSON result
a line.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from medallion_cli.ddl import Column, parse_tables
from medallion_cli.synthetic.recipe import jsonable

ROOT = Path(__file__).parents[3]
MASTER = {"username": "master", "password": 'it\'s "secret" \\ 1', "host": "127.0.0.1", "engine": "mysql"}
REPLICA = {"username": "replicator", "password": "r'p", "host": "127.0.0.1", "engine": "mysql"}
SAKILA = ROOT / "tests" / "projects" / "sakila"


@dataclass(frozen=True)
class LambdaSource:
    """One environment's source: a schema on the server, and the folder that stands for the zip."""

    folder: Path
    schema: str

    def call(self, operation: str, **fields: Any) -> dict[str, Any]:
        """An operation in this process."""
        os.environ["LAMBDA_TASK_ROOT"] = str(self.folder)
        from medallion_cli.synthetic import connection, handlers

        handlers.project.cache_clear()
        connection.source_credentials.cache_clear()
        with _secrets(self.folder):
            return handlers.source_handler({"operation": operation, **fields})

    def start(self, operation: str, **fields: Any) -> subprocess.Popen[str]:
        """An operation in a process of its own, to be killed."""
        event = json.dumps({"operation": operation, **fields})
        return subprocess.Popen(
            [sys.executable, __file__, str(self.folder), event],
            text=True, stdout=subprocess.PIPE, env={**os.environ, "LAMBDA_TASK_ROOT": str(self.folder)},
        )  # fmt: skip

    def seed(self, rows: int, seed: int | None = None) -> dict[str, Any]:
        """Seed rows to the end."""
        return self._work("rows", "seed_chunk", rows, seed)

    def change(self, changes: int, seed: int | None = None) -> dict[str, Any]:
        """Make changes to the end."""
        return self._work("changes", "change_chunk", changes, seed)

    def _work(self, kind: str, operation: str, wanted: int, seed: int | None) -> dict[str, Any]:
        state = self.call("plan", kind=kind, wanted=wanted, seed=seed)
        while not state["finished"]:
            state = self.call(operation, plan_id=state["plan_id"])
        return state

    def ledger(self) -> list[dict[str, Any]]:
        """The whole change ledger, in commit order."""
        changes: list[dict[str, Any]] = []
        after: int | None = 0
        while after is not None:
            page = self.call("changes", after=after)
            changes, after = changes + page["changes"], page["next"]
        return changes


def write_documents(
    folder: Path, schema: str, ddl: str, recipe: Path | None, secrets: dict[str, Any]
) -> None:
    """What `medallion up` packs into the zip (the tables come from the DDL; models are no matter here), and
    secrets.
    """
    tables = [
        {
            "name": table.name,
            "schema": schema,
            "key": list(table.key),
            "columns": [
                {
                    "name": name,
                    "mysql": kind,
                    "nullable": nullable,
                    "canonical": Column(name, kind, nullable).canonical,
                }
                for name, kind, nullable in table.columns
            ],
        }
        for table in parse_tables(ddl, "mysql", "schema.sql").values()
    ]
    document = {"name": "test", "source": {"schema": schema, "time_zone": "UTC"}, "tables": tables}
    rules = jsonable(yaml.safe_load(recipe.read_text())) if recipe else {}
    for name, content in (("pipeline.json", document), ("synthetic.json", rules), ("secrets.json", secrets)):
        (folder / name).write_text(json.dumps(content))
    (folder / "schema.sql").write_text(ddl)


class _secrets:
    """Secrets Manager with the folder's secrets, for the duration."""

    def __init__(self, folder: Path) -> None:
        self.secrets = json.loads((folder / "secrets.json").read_text())

    def __enter__(self) -> None:
        import boto3
        from moto import mock_aws

        self.mock = mock_aws()
        self.mock.start()
        client = boto3.client("secretsmanager", region_name="eu-central-1")
        os.environ["AWS_DEFAULT_REGION"] = "eu-central-1"
        for variable, secret in self.secrets.items():
            made = client.create_secret(Name=variable, SecretString=json.dumps(secret))
            os.environ[variable] = made["ARN"]

    def __exit__(self, *_: object) -> None:
        self.mock.stop()


if __name__ == "__main__":
    from medallion_cli.synthetic.handlers import source_handler

    with _secrets(Path(sys.argv[1])):
        for text in sys.argv[2:]:
            print(json.dumps(source_handler(json.loads(text))), flush=True)
