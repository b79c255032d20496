"""One MariaDB for the session. A source has a schema of its own; the ledgers are the server's, so they start
empty.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lambda_source import MASTER, REPLICA, ROOT, LambdaSource, write_documents

from medallion_cli.local.engines.mariadb import MariaDB
from medallion_cli.local.engines.processes import free_port

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[MariaDB]:
    """A running server with a master user, in a folder that an unprivileged user can reach."""
    cache = Path(tempfile.gettempdir()) / f"medallion-test-cache-{os.getuid()}"
    cache.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="medallion-source-", ignore_cleanup_errors=True) as home:
        os.chmod(home, 0o755)
        nobody = (65534, 65534) if os.getuid() == 0 else None
        running = MariaDB(Path(home) / "mariadb", cache=cache, user=nobody)
        running.start(free_port())
        running.write_master(MASTER["username"], MASTER["password"])
        yield running
        running.stop()


@pytest.fixture
def make(server: MariaDB, tmp_path: Path) -> Iterator[Callable[..., LambdaSource]]:
    """Makes a bootstrapped source, to be used until the next one is made: retail, or other DDL without a
    recipe.
    """
    schemas: list[str] = []

    def made(
        ddl: Path = ROOT / "sql/mysql/schema.sql", recipe: Path | None = ROOT / "configs/synthetic.yaml"
    ) -> LambdaSource:
        schema = f"shop{next(_numbers)}"
        folder = tmp_path / schema
        folder.mkdir()
        secrets: dict[str, Any] = {"SECRET_ARN": MASTER, "REPLICATION_SECRET_ARN": REPLICA}
        ports = {name: {**secret, "port": server.port} for name, secret in secrets.items()}
        write_documents(folder, schema, ddl.read_text(), recipe, ports)
        source = LambdaSource(folder, schema)
        schemas.append(schema)
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("DROP DATABASE IF EXISTS medallion")
        source.call("bootstrap")
        return source

    yield made
    with server.connect() as connection, connection.cursor() as cursor:
        for schema in [*schemas, "medallion"]:
            cursor.execute(f"DROP DATABASE IF EXISTS {schema}")


@pytest.fixture
def shop(make: Callable[..., LambdaSource]) -> LambdaSource:
    """The retail source, empty."""
    return make()


@pytest.fixture
def rows_of(server: MariaDB) -> Callable[[LambdaSource, str], list[dict[str, Any]]]:
    """All rows of a table as texts (binary as upper-case hexadecimal), read as the administrator."""

    def read(source: LambdaSource, sql: str) -> list[dict[str, Any]]:
        with server.connect(conv={}, database=source.schema) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            names = [column[0] for column in cursor.description]
            return [
                {n: v.hex().upper() if isinstance(v, bytes) else v for n, v in zip(names, row, strict=True)}
                for row in cursor.fetchall()
            ]

    return read
