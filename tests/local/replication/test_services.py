"""RDS and DMS as their callers see them, over real engines: no daemon, the runtime's in-process calls."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pymysql
import pytest

from medallion_cli.local.protocol import Service, ServiceError
from medallion_cli.local.replication.simulation import add_simulation
from medallion_cli.local.runtime import Credentials, Runtime
from medallion_cli.local.services import dms, rds
from tests.local.replication.conftest import CACHE, table_mappings

pytestmark = pytest.mark.engine
S3 = {
    "BucketName": "bronze",
    "BucketFolder": "g0001",
    "DataFormat": "parquet",
    "IncludeOpForFullLoad": True,
    "TimestampColumnName": "dms_commit_ts",
    "DatePartitionEnabled": True,
    "CdcMaxBatchInterval": 1,
    "ServiceAccessRoleArn": "arn:aws:iam::000000000000:role/s3",
}


class Secrets(Service):
    """Secrets Manager with one secret."""

    name = "secretsmanager"

    def __init__(self) -> None:
        self.values: dict[str, dict[str, Any]] = {}

    def get_secret_value(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"SecretString": json.dumps(self.values[params["SecretId"]])}


def boot(state: Path, secrets: Secrets) -> Runtime:
    """A daemon's life up to its services' start, on a state folder."""
    runtime = Runtime(state, CACHE, "eu-central-1", "http://127.0.0.1:1", Credentials("a", "b"), {})
    for service in (secrets, rds.create(runtime), dms.create(runtime)):
        runtime.services[service.name] = service
    for service in runtime.services.values():
        service.start()
    return runtime


def shut(runtime: Runtime) -> None:
    for service in reversed(list(runtime.services.values())):
        service.stop()


@pytest.fixture
def secrets() -> Secrets:
    return Secrets()


@pytest.fixture
def runtime(tmp_path: Path, secrets: Secrets) -> Iterator[Runtime]:
    state = tmp_path / "state"
    runtime = boot(state, secrets)
    (state / "objects" / "bronze").mkdir(parents=True)
    yield runtime
    shut(runtime)


def wait(condition: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def instance(runtime: Runtime) -> dict[str, Any]:
    found: dict[str, Any] = runtime.call("rds", "DescribeDBInstances", DBInstanceIdentifier="src")[
        "DBInstances"
    ][0]
    return found


def make_instance(runtime: Runtime, **more: Any) -> dict[str, Any]:
    runtime.call(
        "rds",
        "CreateDBInstance",
        DBInstanceIdentifier="src",
        Engine="mysql",
        DBInstanceClass="db.t4g.micro",
        AllocatedStorage=20,
        MasterUsername="admin",
        MasterUserPassword="first-secret",
        DBName="shop",
        **more,
    )
    wait(lambda: instance(runtime)["DBInstanceStatus"] not in ("creating",))
    return instance(runtime)


def sql(runtime: Runtime, *statements: str, password: str = "first-secret") -> list[tuple[Any, ...]]:
    endpoint = instance(runtime)["Endpoint"]
    with (
        pymysql.connect(
            host=endpoint["Address"],
            port=endpoint["Port"],
            user="admin",
            password=password,
            database="shop",
            autocommit=True,
        ) as connection,
        connection.cursor() as cursor,
    ):
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


def make_task(runtime: Runtime, secrets: Secrets) -> str:
    endpoint = instance(runtime)["Endpoint"]
    secrets.values["replication"] = {
        "username": "admin",
        "password": "first-secret",
        "host": endpoint["Address"],
        "port": endpoint["Port"],
    }
    machine = runtime.call(
        "dms",
        "CreateReplicationInstance",
        ReplicationInstanceIdentifier="Rep",
        ReplicationInstanceClass="dms.t3.medium",
    )["ReplicationInstance"]["ReplicationInstanceArn"]
    source = runtime.call(
        "dms",
        "CreateEndpoint",
        EndpointIdentifier="source",
        EndpointType="source",
        EngineName="mysql",
        MySQLSettings={
            "SecretsManagerSecretId": "replication",
            "SecretsManagerAccessRoleArn": "arn:aws:iam::0:role/x",
        },
    )["Endpoint"]["EndpointArn"]
    target = runtime.call(
        "dms",
        "CreateEndpoint",
        EndpointIdentifier="target",
        EndpointType="target",
        EngineName="s3",
        S3Settings=S3,
    )["Endpoint"]["EndpointArn"]
    return str(
        runtime.call(
            "dms",
            "CreateReplicationTask",
            ReplicationTaskIdentifier="task",
            MigrationType="full-load-and-cdc",
            SourceEndpointArn=source,
            TargetEndpointArn=target,
            ReplicationInstanceArn=machine,
            TableMappings=table_mappings("shop.items"),
            ReplicationTaskSettings=json.dumps(
                {"ChangeProcessingDdlHandlingPolicy": {"HandleSourceTableTruncated": False}}
            ),
        )["ReplicationTask"]["ReplicationTaskArn"]
    )


def task_of(runtime: Runtime, arn: str) -> dict[str, Any]:
    found: dict[str, Any] = runtime.call(
        "dms", "DescribeReplicationTasks", Filters=[{"Name": "replication-task-arn", "Values": [arn]}]
    )["ReplicationTasks"][0]
    return found


def start_task(runtime: Runtime, arn: str, how: str) -> None:
    runtime.call("dms", "StartReplicationTask", ReplicationTaskArn=arn, StartReplicationTaskType=how)
    wait(lambda: task_of(runtime, arn)["Status"] == "running")


def stop_task(runtime: Runtime, arn: str) -> None:
    runtime.call("dms", "StopReplicationTask", ReplicationTaskArn=arn)
    wait(lambda: task_of(runtime, arn)["Status"] == "stopped")


def tables(runtime: Runtime, arn: str) -> dict[str, dict[str, Any]]:
    found = runtime.call("dms", "DescribeTableStatistics", ReplicationTaskArn=arn)["TableStatistics"]
    return {table["TableName"]: table for table in found}


def answers(runtime: Runtime, but: int) -> bool:
    """Whether a server other than the one with this pid takes connections."""
    pidfile = runtime.state / "engines" / "mariadb" / "src" / "mariadb.pid"
    try:
        sql(runtime, "SELECT 1", password="second-secret")
        return int(pidfile.read_text().split()[0]) != but
    except (OSError, IndexError, pymysql.err.OperationalError):
        return False


def wait_loaded(runtime: Runtime, arn: str) -> None:
    wait(lambda: tables(runtime, arn).get("items", {}).get("TableState") == "Table completed")


def fault(call: Callable[[], Any]) -> str:
    with pytest.raises(ServiceError) as error:
        call()
    return error.value.code


def bronze(runtime: Runtime, folder: str = "g0001") -> list[str]:
    root = runtime.state / "objects" / "bronze" / folder / "shop" / "items"
    return sorted(path.name for path in root.rglob("*.parquet"))


ITEMS = "CREATE TABLE items (id INT PRIMARY KEY, n INT)"


def test_an_instance_lives_through_modification_stop_crash_and_restart(
    runtime: Runtime, secrets: Secrets, tmp_path: Path
) -> None:
    made = make_instance(runtime)
    assert made["DBInstanceStatus"] == "available"
    assert fault(lambda: make_instance(runtime)) == "DBInstanceAlreadyExists"
    sql(runtime, ITEMS, "INSERT INTO items VALUES (1, 1)")
    assert sql(runtime, "SELECT @@binlog_format, @@binlog_row_metadata, @@local_infile") == [
        ("ROW", "FULL", 1)
    ]
    runtime.call("rds", "ModifyDBInstance", DBInstanceIdentifier="src", MasterUserPassword="second-secret")
    with pytest.raises(pymysql.err.OperationalError):
        sql(runtime, "SELECT 1")
    runtime.call("rds", "StopDBInstance", DBInstanceIdentifier="src")
    wait(lambda: instance(runtime)["DBInstanceStatus"] == "stopped")
    shut(runtime)
    again = boot(tmp_path / "state", secrets)
    try:
        assert instance(again)["DBInstanceStatus"] == "stopped"
        again.call("rds", "StartDBInstance", DBInstanceIdentifier="src")
        wait(lambda: instance(again)["DBInstanceStatus"] == "available")
        assert instance(again)["Endpoint"] == made["Endpoint"]
        pid = int((again.state / "engines" / "mariadb" / "src" / "mariadb.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        wait(lambda: answers(again, pid))
        assert sql(again, "SELECT * FROM items", password="second-secret") == [(1, 1)]
        again.call("rds", "DeleteDBInstance", DBInstanceIdentifier="src", SkipFinalSnapshot=True)
        wait(lambda: not again.call("rds", "DescribeDBInstances")["DBInstances"])
        assert not (again.state / "engines" / "mariadb" / "src").exists()
    finally:
        shut(again)


def test_a_parameter_group_acts_after_a_reboot(runtime: Runtime) -> None:
    runtime.call(
        "rds",
        "CreateDBParameterGroup",
        DBParameterGroupName="pg",
        DBParameterGroupFamily="mysql8.4",
        Description="x",
    )
    make_instance(runtime, DBParameterGroupName="pg")
    assert sql(runtime, "SELECT @@local_infile") == [(1,)]
    off = {"ParameterName": "local_infile", "ParameterValue": "0", "ApplyMethod": "pending-reboot"}
    cloud = {
        "ParameterName": "binlog_transaction_compression",
        "ParameterValue": "0",
        "ApplyMethod": "pending-reboot",
    }
    runtime.call("rds", "ModifyDBParameterGroup", DBParameterGroupName="pg", Parameters=[off, cloud])
    runtime.call("rds", "RebootDBInstance", DBInstanceIdentifier="src")
    wait(lambda: instance(runtime)["DBInstanceStatus"] == "available")
    assert sql(runtime, "SELECT @@local_infile") == [(0,)]
    delete = {"DBParameterGroupName": "pg"}
    assert (
        fault(lambda: runtime.call("rds", "DeleteDBParameterGroup", **delete))
        == "InvalidDBParameterGroupState"
    )


def test_a_task_from_start_to_reload(runtime: Runtime, secrets: Secrets) -> None:
    make_instance(runtime)
    sql(runtime, ITEMS, "INSERT INTO items SELECT seq, seq FROM seq_1_to_1000")
    arn = make_task(runtime, secrets)
    assert task_of(runtime, arn)["Status"] == "ready"
    assert (
        fault(lambda: start_task(runtime, arn, "resume-processing")) == "InvalidParameterCombinationException"
    )
    start_task(runtime, arn, "start-replication")
    assert fault(lambda: start_task(runtime, arn, "resume-processing")) == "InvalidResourceStateFault"
    target = task_of(runtime, arn)["TargetEndpointArn"]

    def move() -> None:
        runtime.call("dms", "ModifyEndpoint", EndpointArn=target, S3Settings={"BucketFolder": "g0002"})

    def remap() -> None:
        runtime.call(
            "dms", "ModifyReplicationTask", ReplicationTaskArn=arn, TableMappings=table_mappings("shop.items")
        )

    assert fault(move) == "InvalidResourceStateFault"
    assert fault(remap) == "InvalidResourceStateFault"
    wait_loaded(runtime, arn)
    sql(runtime, "UPDATE items SET n = 0 WHERE id <= 10", "DELETE FROM items WHERE id > 990")
    wait(lambda: tables(runtime, arn)["items"]["Deletes"] == 10)
    now = tables(runtime, arn)["items"]
    assert (now["FullLoadRows"], now["Updates"], now["Inserts"]) == (1000, 10, 0)
    assert now["LastUpdateTime"] is not None
    stop_task(runtime, arn)
    stopped = task_of(runtime, arn)
    assert stopped["StopReason"] == "Stop Reason NORMAL"
    assert stopped["RecoveryCheckpoint"].startswith("mysql-bin-changelog.000001:")
    assert stopped["ReplicationTaskStats"]["FullLoadProgressPercent"] == 100
    start_task(runtime, arn, "resume-processing")
    stop_task(runtime, arn)
    first = bronze(runtime)
    move()
    start_task(runtime, arn, "reload-target")
    wait_loaded(runtime, arn)
    assert tables(runtime, arn)["items"]["FullLoadRows"] == 990
    assert tables(runtime, arn)["items"]["Updates"] == 0
    assert bronze(runtime) == first
    assert bronze(runtime, "g0002") == ["LOAD00000001.parquet"]


def test_a_killed_replicator_and_a_killed_daemon_lose_nothing(
    runtime: Runtime, secrets: Secrets, tmp_path: Path
) -> None:
    make_instance(runtime)
    sql(runtime, ITEMS)
    arn = make_task(runtime, secrets)
    start_task(runtime, arn, "start-replication")
    wait_loaded(runtime, arn)
    sql(runtime, "INSERT INTO items VALUES (1, 1)")
    pid = int((runtime.state / "engines" / "dms" / "task" / "replicator.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    wait(lambda: tables(runtime, arn)["items"]["Inserts"] == 1)
    assert task_of(runtime, arn)["Status"] == "running"
    sql(runtime, "INSERT INTO items VALUES (2, 2)")
    shut(runtime)
    again = boot(tmp_path / "state", secrets)
    try:
        sql(again, "INSERT INTO items VALUES (3, 3)")
        wait(lambda: tables(again, arn)["items"]["Inserts"] == 3)
        assert task_of(again, arn)["Status"] == "running"
        stop_task(again, arn)
    finally:
        shut(again)


def test_a_task_that_cannot_work_fails_with_the_reason(runtime: Runtime, secrets: Secrets) -> None:
    make_instance(runtime)
    arn = make_task(runtime, secrets)
    runtime.call(
        "dms", "StartReplicationTask", ReplicationTaskArn=arn, StartReplicationTaskType="start-replication"
    )
    wait(lambda: task_of(runtime, arn)["Status"] == "failed")
    assert "No tables were found" in task_of(runtime, arn)["LastFailureMessage"]
    secrets.values["replication"]["password"] = "wrong"
    task = task_of(runtime, arn)
    connection = runtime.call(
        "dms",
        "TestConnection",
        EndpointArn=task["SourceEndpointArn"],
        ReplicationInstanceArn=task["ReplicationInstanceArn"],
    )["Connection"]
    assert connection["Status"] == "failed"
    assert "Access denied" in connection["LastFailureMessage"]
    runtime.call("dms", "DeleteReplicationTask", ReplicationTaskArn=arn)
    assert fault(lambda: task_of(runtime, arn)) == "ResourceNotFoundFault"


def test_reload_of_one_table(runtime: Runtime, secrets: Secrets) -> None:
    make_instance(runtime)
    sql(runtime, ITEMS, "INSERT INTO items VALUES (1, 1)")
    arn = make_task(runtime, secrets)
    start_task(runtime, arn, "start-replication")
    wait_loaded(runtime, arn)
    one = {"SchemaName": "shop", "TableName": "items"}
    add_simulation(runtime.state / "engines" / "dms", "suspend", "shop.items", 1)
    sql(runtime, "INSERT INTO items VALUES (2, 1)")
    wait(lambda: tables(runtime, arn)["items"]["TableState"] == "Table error")
    runtime.call("dms", "ReloadTables", ReplicationTaskArn=arn, TablesToReload=[one])
    wait(lambda: bronze(runtime) == ["LOAD00000001.parquet", "LOAD00000002.parquet"])
    wait_loaded(runtime, arn)
    folder = runtime.state / "objects" / "bronze" / "g0001" / "shop" / "items"
    first, again = (pq.read_table(path)["dms_commit_ts"][0].as_py() for path in sorted(folder.glob("LOAD*")))
    assert first < again, "what is loaded beside changes says when it was read"


def test_an_instance_is_restored_from_a_snapshot_at_its_own_address(runtime: Runtime) -> None:
    made = make_instance(runtime)
    sql(runtime, ITEMS, "INSERT INTO items VALUES (1, 1)")
    runtime.call("rds", "CreateDBSnapshot", DBInstanceIdentifier="src", DBSnapshotIdentifier="before")
    sql(runtime, "DELETE FROM items")
    restore = {"DBInstanceIdentifier": "src", "DBSnapshotIdentifier": "before"}
    assert (
        fault(lambda: runtime.call("rds", "RestoreDBInstanceFromDBSnapshot", **restore))
        == "DBInstanceAlreadyExists"
    )
    runtime.call("rds", "DeleteDBInstance", DBInstanceIdentifier="src", FinalDBSnapshotIdentifier="last")
    wait(lambda: not runtime.call("rds", "DescribeDBInstances")["DBInstances"])
    runtime.call("rds", "RestoreDBInstanceFromDBSnapshot", **restore)
    wait(lambda: instance(runtime)["DBInstanceStatus"] == "available")
    assert instance(runtime)["Endpoint"] == made["Endpoint"]
    assert sql(runtime, "SELECT * FROM items") == [(1, 1)]
    names = [s["DBSnapshotIdentifier"] for s in runtime.call("rds", "DescribeDBSnapshots")["DBSnapshots"]]
    assert sorted(names) == ["before", "last"]
