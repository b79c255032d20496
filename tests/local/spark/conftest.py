"""One warm JVM and one session for all tests here; a fake S3 client over the folders that Spark uses."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medallion_cli.local.engines import spark as engine
from medallion_cli.local.engines.spark_job import _configure

sys.path.insert(0, str(Path(__file__).parents[3] / "glue_scripts"))
sys.path.insert(0, str(Path(__file__).parent))

from java_names import look_up_once
from medallion_glue import objects as s3
from warehouse_case import Case, FolderClient

BUCKETS = ("bronze", "silver", "staging", "artifacts")
CATALOG = {
    "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
    "spark.sql.catalog.glue_catalog": "org.apache.iceberg.spark.SparkCatalog",
    "spark.sql.catalog.glue_catalog.catalog-impl": "org.apache.iceberg.aws.glue.GlueCatalog",
    "spark.sql.catalog.glue_catalog.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
    "spark.sql.catalog.glue_catalog.warehouse": "s3://silver/warehouse",
}
FEW_ROWS = {  # compiling costs more than a handful of rows
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.codegen.wholeStage": "false",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """py4j leaves its sockets to the garbage collector."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture(scope="session")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of buckets."""
    folder = tmp_path_factory.mktemp("objects")
    for bucket in BUCKETS:
        (folder / bucket).mkdir()
    return folder


@pytest.fixture(scope="session")
def spark(objects: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A session as a Glue job opens it, in the engine's own JVM."""
    jvm = engine.Jvm(tmp_path_factory.mktemp("spark"))
    os.environ.update(jvm.environment())
    look_up_once()
    _configure(engine.job_settings(objects, {**CATALOG, **FEW_ROWS}))
    from medallion_glue.lakehouse import open_session

    session = open_session("tests")
    yield session
    session.stop()
    jvm.stop()


@pytest.fixture(autouse=True)
def _documents_of_generations_are_for_one_test(objects: Path) -> Iterator[None]:
    """Every schema has its own tables in the one bucket, and all of them the same folders."""
    yield
    for path in (objects / "artifacts" / "generations").glob("*.json"):
        path.unlink()


@pytest.fixture
def case(spark: Any, objects: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    """A source schema and a silver database of the test's own."""
    client = FolderClient(objects)
    monkeypatch.setattr(s3, "client", lambda: client)
    return Case(spark, objects, f"shop_{uuid.uuid4().hex[:8]}")
