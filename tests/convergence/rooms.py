"""The engines of the trials, started once and kept warm: MariaDB, Spark with Iceberg, PostgreSQL as Redshift, replication."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import medallion_cli

TESTS = Path(__file__).resolve().parents[1]
PRODUCT = Path(medallion_cli.__file__).resolve().parents[1]  # a mutant's copy has its own
for folder in (TESTS / "local" / "warehouse", TESTS / "local" / "spark", PRODUCT / "glue_scripts"):
    sys.path.insert(0, str(folder))

BUCKETS = ("bronze", "silver", "staging", "artifacts")
CATALOG = {
    "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
    "spark.sql.catalog.glue_catalog": "org.apache.iceberg.spark.SparkCatalog",
    "spark.sql.catalog.glue_catalog.catalog-impl": "org.apache.iceberg.aws.glue.GlueCatalog",
    "spark.sql.catalog.glue_catalog.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
    "spark.sql.catalog.glue_catalog.warehouse": "s3://silver/warehouse",
}
KEPT_BY_SPARK = [f"spark.ui.retained{what}" for what in ("Jobs", "Stages", "Tasks", "DeadExecutors")]
KEPT_BY_SPARK += ["spark.sql.ui.retainedExecutions"]  # of what has been done: thousands of jobs a trial
SESSIONS = 25  # trials, until Spark gets a fresh JVM


@dataclass
class Rooms:
    """What a trial works with; `home` can be entered by the engines' own user."""

    home: Path
    source: Any
    warehouse: Any
    objects: Path
    zygote: subprocess.Popen[str]
    jvm: Any
    spark: Any = None
    trials: int = 0
    _left: list[Path] = field(default_factory=list)

    def open_spark(self) -> None:
        """The session, in a fresh JVM after some trials or when the old one is gone."""
        from medallion_glue.lakehouse import open_session

        from medallion_cli.local.engines.spark import job_settings
        from medallion_cli.local.engines.spark_job import _configure

        self.trials += 1
        if self.spark is not None and self.jvm.running and self.trials % SESSIONS:
            return
        if self.spark is not None:
            self.close_spark()
        os.environ.update(self.jvm.environment())
        settings = {**CATALOG, "spark.sql.shuffle.partitions": "1", "spark.default.parallelism": "1"}
        settings |= {
            "spark.sql.adaptive.enabled": "false",
            "spark.sql.codegen.wholeStage": "false",  # compiling costs more than a handful of rows
            "spark.sql.codegen.factoryMode": "NO_CODEGEN",  # counts with -Dspark.testing (lanes.py) only
            "spark.sql.planChangeValidation": "false",
            "spark.sql.catalog.glue_catalog.cache-enabled": "false",
        }
        settings |= dict.fromkeys(KEPT_BY_SPARK, "10")
        _configure(job_settings(self.objects, settings))
        self.spark = open_session("convergence")

    def close_spark(self) -> None:
        """Ends the session and its JVM."""
        from pyspark import SparkContext
        from pyspark.sql import SparkSession

        if self.jvm.running and self.spark is not None:
            self.spark.stop()
            SparkContext._gateway.shutdown()  # or py4j frees objects in a JVM that is gone, and complains
        self.jvm.stop()
        SparkContext._gateway = SparkContext._jvm = SparkContext._active_spark_context = None
        SparkSession._instantiatedSession = self.spark = None

    def start_task(self, home: Path, crash: dict[str, Any] | None) -> int:
        """Starts a replication task; its pid."""
        assert self.zygote.stdin is not None
        assert self.zygote.stdout is not None
        self.zygote.stdin.write(json.dumps({"home": str(home), "crash": crash}) + "\n")
        self.zygote.stdin.flush()
        return int(self.zygote.stdout.readline())

    def fresh_gold(self) -> None:
        """Takes all schemas and roles of the trial before out of the warehouse."""
        self.warehouse.session.close()
        self.warehouse.session = self.warehouse.engine.session()
        for schema in ("masked", "gold", "staging", "etl"):
            self.warehouse.run(f"DROP SCHEMA IF EXISTS {schema} CASCADE")

    def forget(self, name: str) -> None:
        """Removes what a trial has left in the buckets and at the source."""
        with self.source.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")
        for bucket in BUCKETS:
            for path in (self.objects / bucket).glob("*"):
                shutil.rmtree(path, ignore_errors=True)


def engines_may_enter(home: Path) -> None:
    """The engines' own user passes through a folder of root's."""
    home.chmod(0o711)


@contextmanager
def rooms() -> Iterator[Rooms]:
    """All engines; about ten seconds to start."""
    from java_names import look_up_once
    from scratch_warehouse import scratch_warehouse

    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="medallion-convergence-")))
        engines_may_enter(home)
        warehouse = stack.enter_context(scratch_warehouse(home / "warehouse"))
        objects = warehouse.host.state / "objects"
        for bucket in BUCKETS:
            (objects / bucket).mkdir(parents=True)
        source = _source(home)
        stack.callback(source.stop)
        zygote = _zygote()
        stack.callback(_end, zygote)
        found = Rooms(home, source, warehouse, objects, zygote, _jvm(home))
        stack.callback(found.close_spark)
        look_up_once()
        _folders_for_s3(objects)
        _install_fuse()
        yield found


def _source(home: Path) -> Any:
    from medallion_cli.local.engines import processes
    from medallion_cli.local.engines.mariadb import MariaDB

    user = (65534, 65534) if os.getuid() == 0 else None
    server = MariaDB(home / "source", cache=_cache(), user=user)
    server.start(processes.free_port(), {"innodb_lock_wait_timeout": "20"})
    server.write_master("admin", "secret")
    return server


def _cache() -> Path:
    if named := os.environ.get("MEDALLION_CACHE_HOME"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "medallion"


def _jvm(home: Path) -> Any:
    from medallion_cli.local.engines import spark

    return spark.Jvm(home / "spark")


def _zygote() -> subprocess.Popen[str]:
    script = Path(__file__).with_name("task_zygote.py")
    path = os.pathsep.join([str(PRODUCT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip


def _end(zygote: subprocess.Popen[str]) -> None:
    if zygote.stdin is not None:
        zygote.stdin.close()
    zygote.wait(10)
    if zygote.stdout is not None:
        zygote.stdout.close()


def _folders_for_s3(objects: Path) -> None:
    """The scripts' S3 client works on the folders that Spark uses."""
    from medallion_glue import objects as s3
    from warehouse_case import FolderClient

    client = FolderClient(objects)
    s3.client = lambda: client


def _install_fuse() -> None:
    import crash

    crash.install()
