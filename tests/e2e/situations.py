"""How an environment is broken for real, one way a function; each takes the tool on a project of one table, `parts`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from command_line import Medallion

PATIENCE = 60.0  # seconds
SCHEMA = "broken"


@dataclass(frozen=True)
class Situation:
    """A way to break it, the code that names it, and who names it."""

    broken: Callable[[Medallion], Any]
    code: str
    in_status: bool = (
        True  # False: only seen by asking the source, or this machine, which `status` does not do
    )


def change(tool: Medallion, *statements: str) -> None:
    """Runs statements at the source as its master user."""
    with closing(tool.source(SCHEMA)) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        connection.commit()


def stop_replication(tool: Medallion) -> None:
    tool("replicate", "stop")


def stop_replication_by_the_console(tool: Medallion) -> None:
    arn = task(tool)["ReplicationTaskArn"]
    tool.client("dms").stop_replication_task(ReplicationTaskArn=arn)
    wait(lambda: task(tool)["Status"] == "stopped")


def task(tool: Medallion) -> dict[str, Any]:
    """The replication task, as DMS describes it."""
    return dict(tool.client("dms").describe_replication_tasks()["ReplicationTasks"][0])


def change_password(tool: Medallion) -> None:
    secrets = tool.client("secretsmanager")
    arn = tool.json("outputs")["ReplicationSecretArn"]
    user = json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])["username"]
    change(tool, f"ALTER USER '{user}'@'%' IDENTIFIED BY 'another-password-of-somebody'")


def stop_database(tool: Medallion) -> None:
    rds = tool.client("rds")
    name = tool.json("outputs")["DatabaseIdentifier"]
    rds.stop_db_instance(DBInstanceIdentifier=name)
    wait(
        lambda: (
            rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]["DBInstanceStatus"]
            == "stopped"
        )
    )


def wait(condition: Callable[[], object]) -> None:
    """Until it holds; AssertionError after PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "never reached"
        time.sleep(0.1)
