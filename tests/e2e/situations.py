"""How an environment is broken for real, one way a function; each takes the tool on a project of one table, `parts`."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pymysql
import yaml
from command_line import Medallion
from engines import kill_everything, processes, waiting, warehouse

PATIENCE = 90.0  # seconds
SCHEMA = "broken"
ROOM = 1_200 << 20  # bytes of the disk that an environment lives on, where it may be mounted


@dataclass(frozen=True)
class Situation:
    """A way to break it, the code that names it, and what is done about it beside typing the remedy."""

    broken: Callable[[Medallion], Any]  # what it returns is held until before the remedy is typed
    code: str
    mended: Callable[[Medallion], object] = lambda _: (
        None
    )  # what its note says to do outside of the tool first
    after: Callable[[Medallion], object] = lambda _: None  # undoes what the test itself has set up
    equal: bool = False  # data are involved: in the end everything is equal
    until_typed: bool = False  # what is held stays while the remedy is typed


# The source


def change(tool: Medallion, *statements: str) -> None:
    """Runs statements at the source as its master user."""
    with closing(tool.source(SCHEMA)) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        connection.commit()


def administer(tool: Medallion, *statements: str) -> list[Any]:
    """Runs statements as the server's own administrator, as only RDS can; the rows of the last."""
    (folder,) = (tool.state / "engines" / "mariadb").iterdir()
    found = tool.client("rds").describe_db_instances()["DBInstances"][0]
    password = (folder / "administrator").read_text()
    port = found["Endpoint"]["Port"]
    with pymysql.connect(host="127.0.0.1", port=port, user="rdsadmin", password=password) as connection:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


def insert(tool: Medallion, name: str = "x", n: int = 7) -> None:
    """One more row at the source."""
    change(tool, f"INSERT INTO parts (name, n) VALUES ('{name}', {n})")


def replication_user(tool: Medallion) -> str:
    secrets, arn = tool.client("secretsmanager"), tool.json("outputs")["ReplicationSecretArn"]
    return str(json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])["username"])


def change_password(tool: Medallion) -> None:
    user = replication_user(tool)
    change(tool, f"ALTER USER '{user}'@'%' IDENTIFIED BY 'another-password-of-somebody'")


def drop_replication_user(tool: Medallion) -> None:
    change(tool, f"DROP USER '{replication_user(tool)}'@'%'")


def change_secret(tool: Medallion) -> None:
    """Somebody rotates the replication secret, and the database knows nothing of it."""
    secrets, arn = tool.client("secretsmanager"), tool.json("outputs")["ReplicationSecretArn"]
    found = json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])
    text = json.dumps({**found, "password": "Rotated-by-somebody-1"})
    secrets.put_secret_value(SecretId=arn, SecretString=text)


def short_retention(tool: Medallion) -> None:
    change(tool, "CALL mysql.rds_set_configuration('binlog retention hours', 0)")


def statement_format(tool: Medallion) -> None:
    administer(tool, "SET GLOBAL binlog_format = 'STATEMENT'")
    insert(tool, "by a statement")


def minimal_image(tool: Medallion) -> None:
    administer(tool, "SET GLOBAL binlog_row_image = 'MINIMAL'")
    change(tool, "UPDATE parts SET n = n + 1")


def purge(tool: Medallion) -> None:
    """The binlog that stopped replication would go on from is deleted."""
    stop_replication(tool)
    insert(tool)
    newest = administer(tool, "FLUSH BINARY LOGS", "SHOW BINARY LOGS")[-1][0]
    administer(tool, f"PURGE BINARY LOGS TO '{newest}'")


def stop_database(tool: Medallion) -> None:
    rds = tool.client("rds")
    name = tool.json("outputs")["DatabaseIdentifier"]
    rds.stop_db_instance(DBInstanceIdentifier=name)
    wait(lambda: rds.describe_db_instances()["DBInstances"][0]["DBInstanceStatus"] == "stopped")


def use_up_connections(tool: Medallion) -> None:
    """An application that forgets to close its connections; they are not ours to close."""
    administer(tool, "SET GLOBAL max_connections = 12")
    with suppress(pymysql.err.OperationalError):
        for _ in range(20):
            LEFT_OPEN.append(tool.source(SCHEMA))


LEFT_OPEN: list[Any] = []


def add_a_column(tool: Medallion) -> None:
    change(
        tool,
        "ALTER TABLE parts ADD COLUMN colour VARCHAR(10) NOT NULL DEFAULT 'red'",
        "INSERT INTO parts (name, n, colour) VALUES ('c', 3, 'blue')",
    )
    tool("run")


def add_a_column_where_it_may_not(tool: Medallion) -> None:
    policy(tool, "fail")
    tool("up", "--yes")
    change(tool, "ALTER TABLE parts ADD COLUMN weight INT NULL")
    insert(tool)
    fails(tool)


def drop_the_table(tool: Medallion) -> None:
    change(tool, "DROP TABLE parts")
    wait(lambda: ddls(tool))


def truncate_the_table(tool: Medallion) -> None:
    insert(tool)
    tool("run")
    change(tool, "TRUNCATE TABLE parts")
    wait(lambda: ddls(tool))


def ddls(tool: Medallion) -> int:
    arn = task(tool)["ReplicationTaskArn"]
    found = tool.client("dms").describe_table_statistics(ReplicationTaskArn=arn)["TableStatistics"]
    return sum(int(table.get("Ddls", 0)) for table in found if table["TableName"] == "parts")


# Replication


def task(tool: Medallion) -> dict[str, Any]:
    """The replication task, as DMS describes it."""
    return dict(tool.client("dms").describe_replication_tasks()["ReplicationTasks"][0])


def stop_replication(tool: Medallion) -> None:
    tool("replicate", "stop")


def stop_replication_by_the_console(tool: Medallion) -> None:
    tool.client("dms").stop_replication_task(ReplicationTaskArn=task(tool)["ReplicationTaskArn"])
    wait(lambda: task(tool)["Status"] == "stopped")


def fail_replication(tool: Medallion) -> None:
    tool("local", "simulate", "fail", "--message", "Last Error Out of memory")
    insert(tool)
    wait(lambda: task(tool)["Status"] == "failed")


def suspend_the_table(tool: Medallion) -> None:
    tool("local", "simulate", "suspend", "--table", "parts")
    insert(tool)
    arn = task(tool)["ReplicationTaskArn"]

    def suspended() -> bool:
        found = tool.client("dms").describe_table_statistics(ReplicationTaskArn=arn)["TableStatistics"]
        return any(table["TableState"] == "Table error" for table in found)

    wait(suspended)


# The environment


def pause(tool: Medallion) -> None:
    tool("pause")


def switch_schedule_on(tool: Medallion) -> None:
    switch(tool, "ENABLED")


def switch_schedule_off(tool: Medallion) -> None:
    tool("resume", "--schedule")
    switch(tool, "DISABLED")


def no_schedules(tool: Medallion) -> None:
    tool("pause", "--schedule")


def switch(tool: Medallion, state: str) -> None:
    """The schedule of runs, by hand."""
    client, outputs = tool.client("scheduler"), tool.json("outputs")
    where = {"Name": outputs["PipelineScheduleName"], "GroupName": outputs["ScheduleGroupName"]}
    found = client.get_schedule(**where)
    kept = ("ScheduleExpression", "FlexibleTimeWindow", "Target")
    client.update_schedule(**where, **{key: found[key] for key in kept}, State=state)


def leave_a_lock(tool: Medallion) -> None:
    """That of a process of this machine that has ended."""
    up = tool.start("up", "--yes")
    ssm = tool.client("ssm")

    def held() -> bool:
        with suppress(ssm.exceptions.ParameterNotFound):
            return bool(ssm.get_parameter(Name=f"/{tool.name}/lock"))
        assert up.poll() is None, "it ended too soon"
        return False

    wait(held)
    up.kill()
    up.communicate()


def delete_a_stack(tool: Medallion) -> None:
    client = tool.client("cloudformation")
    name = f"{tool.name}-observability"
    client.delete_stack(StackName=name)
    wait(lambda: name not in [s["StackName"] for s in client.describe_stacks()["Stacks"]])


def stop_the_daemon(tool: Medallion) -> None:
    tool("local", "stop")


def kill_the_daemon(tool: Medallion) -> None:
    daemon = psutil.Process(int((tool.state / "daemon.pid").read_text().split()[0]))
    daemon.kill()
    wait(lambda: not daemon.is_running() or daemon.status() == psutil.STATUS_ZOMBIE)


def kill_all(tool: Medallion) -> None:
    insert(tool)
    kill_everything(tool)


def take_the_port(tool: Medallion) -> socket.socket:
    """The daemon is gone, and another program listens where it did; it stays as long as the socket is held."""
    stop_the_daemon(tool)
    port = int(json.loads((tool.state / "endpoint.json").read_text())["port"])
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind(("127.0.0.1", port))
    taken.listen()
    return taken


def fill_the_disk(tool: Medallion) -> None:
    """Somebody's file, on the small disk that this environment lives on."""
    with filler(tool).open("wb") as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 20))
            file.flush()


def make_room(tool: Medallion) -> None:
    filler(tool).unlink()


def filler(tool: Medallion) -> Path:
    return tool.home / "somebodys-file"


# Runs


def fails(tool: Medallion) -> None:
    """A run that must fail."""
    tool.refused("--quiet", "run", code=1)


def kill_spark(tool: Medallion) -> None:
    insert(tool)
    run = tool.start("run")
    while run.poll() is None:
        for one in processes(tool.state):
            with suppress(psutil.NoSuchProcess):
                if one.name() == "java":
                    one.kill()
        time.sleep(0.2)
    run.communicate()
    assert run.returncode == 1


def abort_the_run(tool: Medallion) -> None:
    insert(tool)
    run = tool.start("run")
    client = tool.client("stepfunctions")
    machine = tool.json("outputs")["StateMachineArn"]

    def running() -> list[Any]:
        return list(client.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"])

    wait(running)
    client.stop_execution(executionArn=running()[0]["executionArn"])
    run.communicate()


def lose_a_script(tool: Medallion) -> None:
    insert(tool)
    scripts = list(tool.objects("artifacts").rglob("bronze_to_silver*.py"))
    assert scripts
    for one in scripts:
        one.unlink()
    fails(tool)


def get_stale(tool: Medallion) -> None:
    """A change that waits for longer than this project wants it to."""
    freshness(tool, {"warn_after": "1s", "error_after": "2s"})
    insert(tool)
    wait(lambda: "MED-RUN-003" in tool.ended("status", code=3)[0] if slept(3) else False)


def slept(seconds: float) -> bool:
    time.sleep(seconds)
    return True


def any_age(tool: Medallion) -> None:
    freshness(tool, {})


# Silver


def fresh_bronze(tool: Medallion, n: int = 7) -> Path:
    """A file of bronze that silver has not taken yet."""
    before = set(tool.objects("bronze").rglob("*/parts/**/*.parquet"))
    insert(tool, n=n)
    found: list[Path] = []

    def written() -> bool:
        found[:] = sorted(set(tool.objects("bronze").rglob("*/parts/**/*.parquet")) - before)
        return bool(found)

    wait(written)
    return found[0]


def cut_a_bronze_file(tool: Medallion) -> None:
    path = fresh_bronze(tool)
    os.truncate(path, 100)
    tool.start("run").communicate()


def overwrite_a_bronze_file(tool: Medallion) -> None:
    fresh_bronze(tool).write_text("not Parquet at all")
    tool.start("run").communicate()


def break_a_rule_that_fails(tool: Medallion) -> None:
    insert(tool, n=5_000)
    fails(tool)


def mend_the_row(tool: Medallion) -> None:
    change(tool, "UPDATE parts SET n = 5 WHERE n = 5000", "UPDATE parts SET name = 'good' WHERE name = 'bad'")


def break_a_rule_that_quarantines(tool: Medallion) -> None:
    insert(tool, "bad")
    tool("run")


# The warehouse


def misfit_staging(tool: Medallion) -> None:
    """The staging table of gold lacks a column: COPY has one too many."""
    administer_warehouse(tool, "ALTER TABLE staging.parts DROP COLUMN n")
    insert(tool)
    fails(tool)


def drop_a_procedure(tool: Medallion) -> None:
    with warehouse(tool) as connection:
        found = connection.execute("SELECT oid::regprocedure::text FROM pg_proc WHERE proname = 'merge_run'")
        names = [row[0] for row in found.fetchall()]
    assert names
    administer_warehouse(tool, *(f"DROP PROCEDURE {name}" for name in names))
    insert(tool)
    fails(tool)


def drop_gold(tool: Medallion) -> None:
    administer_warehouse(tool, "DROP TABLE gold.parts CASCADE")
    insert(tool)
    fails(tool)


def administer_warehouse(tool: Medallion, *statements: str) -> None:
    with warehouse(tool) as connection:
        for statement in statements:
            connection.execute(statement.encode())
        connection.commit()


def lock_gold(tool: Medallion) -> None:
    """Somebody holds gold; the merge that waits for it is cancelled by whoever looks after the warehouse."""
    insert(tool)
    with warehouse(tool) as holder, warehouse(tool) as other:
        holder.execute("LOCK TABLE gold.parts IN SHARE MODE")
        run = tool.start("run")
        wait(lambda: waiting(other, "gold.parts"))
        other.execute("SELECT pg_cancel_backend(pid) FROM pg_locks WHERE NOT granted")
        run.communicate()
        assert run.returncode == 1


# The project


def policy(tool: Medallion, drift: str) -> None:
    """What a changed column of `parts` does."""
    described(tool, {"schema_drift": drift})


def freshness(tool: Medallion, wanted: dict[str, str]) -> None:
    """How old `parts` may get."""
    described(tool, {"freshness": wanted})


def evolve(tool: Medallion) -> None:
    policy(tool, "evolve")


def described(tool: Medallion, more: dict[str, Any]) -> None:
    """Changes the entry of `parts` in the specification."""
    assert tool.project is not None
    path = tool.project / "configs" / "pipeline.yaml"
    document = yaml.safe_load(path.read_text())
    document["tables"]["parts"] = {**(document["tables"]["parts"] or {}), **more}
    path.write_text(yaml.safe_dump(document, sort_keys=False))


RULES = {
    "expectations": {
        "small": {"between": {"n": [0, 1_000]}, "on_fail": "fail"},
        "decent": {"expression": "name <> 'bad'", "on_fail": "quarantine"},
    }
}


def wait(condition: Callable[[], object]) -> None:
    """Until it holds; AssertionError after PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "never reached"
        time.sleep(0.2)
