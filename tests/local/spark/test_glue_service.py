"""The Glue service: real scripts in real processes on the warm JVM, and what becomes of a run."""

from __future__ import annotations

import os
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medallion_cli.local.protocol import ServiceError
from medallion_cli.local.runtime import Credentials, Runtime
from medallion_cli.local.services import glue as glue_service

pytestmark = pytest.mark.engine
CONF = (
    "spark.sql.extensions=org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"
    " --conf spark.sql.catalog.glue_catalog=org.apache.iceberg.spark.SparkCatalog"
    " --conf spark.sql.catalog.glue_catalog.catalog-impl=org.apache.iceberg.aws.glue.GlueCatalog"
    " --conf spark.sql.catalog.glue_catalog.io-impl=org.apache.iceberg.aws.s3.S3FileIO"
    " --conf spark.sql.catalog.glue_catalog.warehouse=s3://silver/warehouse"
)
SESSION = "from pyspark.sql import SparkSession\nSparkSession.builder.getOrCreate()"
SCRIPTS = {
    "good": """
import sys, os, greeting
from pyspark.sql import SparkSession
spark = SparkSession.builder.appName("good").getOrCreate()
spark.sql("CREATE NAMESPACE IF NOT EXISTS glue_catalog.db")
spark.sql("CREATE TABLE IF NOT EXISTS glue_catalog.db.t (a INT) USING iceberg")
spark.sql("INSERT INTO glue_catalog.db.t VALUES (1)")
spark.table("glue_catalog.db.t").coalesce(1).write.mode("overwrite").json("s3://artifacts/out")
print(greeting.TEXT, sys.argv[sys.argv.index("--word") + 1], os.environ["AWS_ENDPOINT_URL"], flush=True)
""",
    "bad": "raise ValueError('no such thing\\nas this')",
    "slow": f"import time\n{SESSION}\ntime.sleep(60)",
    "jvm": f"{SESSION}._jvm.java.lang.System.exit(3)",
}


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment's folder with the scripts in its artifacts bucket."""
    folder = tmp_path_factory.mktemp("environment")
    for bucket in ("artifacts", "silver"):
        (folder / "objects" / bucket).mkdir(parents=True)
    for name, text in SCRIPTS.items():
        (folder / "objects" / "artifacts" / f"{name}.py").write_text(text)
    with zipfile.ZipFile(folder / "objects" / "artifacts" / "library.zip", "w") as library:
        library.writestr("greeting.py", "TEXT = 'hello'")
    return folder


@pytest.fixture(scope="module")
def runtime(state: Path) -> Runtime:
    """A runtime without any server."""
    return Runtime(state, state / "cache", "eu-central-1", "http://127.0.0.1:1", Credentials("a", "b"), {})


@pytest.fixture(scope="module")
def glue(runtime: Runtime) -> Iterator[Any]:
    """The service with a job a script."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("PYSPARK_")}
    service: Any = glue_service.create(runtime)
    for name in SCRIPTS:
        service.create_job(
            {
                "Name": name,
                "Role": "arn:aws:iam::000000000000:role/glue",
                "Command": {"Name": "glueetl", "ScriptLocation": f"s3://artifacts/{name}.py"},
                "DefaultArguments": {
                    "--conf": CONF,
                    "--extra-py-files": "s3://artifacts/library.zip",
                    "--word": "default",
                },
                "ExecutionProperty": {"MaxConcurrentRuns": 1},
            }
        )
    service.start()
    yield service
    service.stop()
    os.environ.update(kept)


def ended(glue: Any, job: str, run_id: str, seconds: float = 60) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        run: dict[str, Any] = glue.get_job_run({"JobName": job, "RunId": run_id})["JobRun"]
        if run["JobRunState"] not in glue_service.ACTIVE:
            return run
        time.sleep(0.1)
    raise AssertionError(f"{job} did not end")


def awaited(glue: Any, job: str, run_id: str, state: str) -> None:
    deadline = time.monotonic() + 60
    while glue.get_job_run({"JobName": job, "RunId": run_id})["JobRun"]["JobRunState"] != state:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def start(glue: Any, job: str, **more: Any) -> str:
    return str(glue.start_job_run({"JobName": job, **more})["JobRunId"])


def test_a_script_runs_unchanged_with_its_arguments_library_and_catalog(glue: Any, runtime: Runtime) -> None:
    run_id = start(glue, "good", Arguments={"--word": "given"})
    run = ended(glue, "good", run_id)
    assert (run["JobRunState"], run.get("ErrorMessage")) == ("SUCCEEDED", None)
    assert runtime.log("/aws-glue/jobs/output", run_id).read_text() == "hello given http://127.0.0.1:1\n"
    assert (runtime.state / "objects/silver/warehouse/db/t/metadata/version-hint.text").exists()
    assert list((runtime.state / "objects/artifacts/out").glob("part-*.json"))


def test_a_warm_second_run_is_fast(glue: Any) -> None:
    ended(glue, "good", start(glue, "good"))
    before = time.monotonic()
    assert ended(glue, "good", start(glue, "good"))["JobRunState"] == "SUCCEEDED"
    assert time.monotonic() - before < 20


def test_a_failing_script_tells_its_own_line(glue: Any, runtime: Runtime) -> None:
    run_id = start(glue, "bad")
    run = ended(glue, "bad", run_id)
    assert (run["JobRunState"], run["ErrorMessage"]) == ("FAILED", "ValueError: no such thing")
    assert "Traceback" in runtime.log("/aws-glue/jobs/error", run_id).read_text()


def test_a_second_run_of_the_same_job_is_refused_while_the_first_runs(glue: Any) -> None:
    run_id = start(glue, "slow")
    with pytest.raises(ServiceError) as refused:
        start(glue, "slow")
    assert refused.value.code == "ConcurrentRunsExceededException"
    awaited(glue, "slow", run_id, "RUNNING")
    stopped = glue.batch_stop_job_run({"JobName": "slow", "JobRunIds": [run_id]})
    assert stopped["SuccessfulSubmissions"] == [{"JobName": "slow", "JobRunId": run_id}]
    assert ended(glue, "slow", run_id)["JobRunState"] == "STOPPED"
    assert ended(glue, "good", start(glue, "good"))["JobRunState"] == "SUCCEEDED"


def test_a_run_that_is_too_long_times_out(glue: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = start(glue, "slow", Timeout=0.03)
    run = ended(glue, "slow", run_id)
    assert (run["JobRunState"], run["ErrorMessage"]) == ("TIMEOUT", "the job ran longer than 0.03 minutes")


def test_a_jvm_that_dies_fails_its_run_and_is_started_again(glue: Any) -> None:
    assert ended(glue, "jvm", start(glue, "jvm"))["JobRunState"] == "FAILED"
    assert ended(glue, "good", start(glue, "good"))["JobRunState"] == "SUCCEEDED"


def test_a_missing_script_fails_in_one_line(glue: Any) -> None:
    glue.create_job(
        {
            "Name": "gone",
            "Role": "r",
            "Command": {"Name": "glueetl", "ScriptLocation": "s3://artifacts/gone.py"},
        }
    )
    run = ended(glue, "gone", start(glue, "gone"))
    assert run["ErrorMessage"] == "s3://artifacts/gone.py does not exist"
    with pytest.raises(ServiceError, match="EntityNotFoundException"):
        start(glue, "never")


def test_a_run_cut_short_by_the_end_of_the_daemon_has_failed(glue: Any, runtime: Runtime) -> None:
    run_id = start(glue, "slow")
    again: Any = glue_service.create(runtime)
    again.start()
    assert again.get_job_run({"JobName": "slow", "RunId": run_id})["JobRun"]["JobRunState"] == "FAILED"
    glue.batch_stop_job_run({"JobName": "slow", "JobRunIds": [run_id]})
    ended(glue, "slow", run_id)
