"""Code alone: jobs and functions get what the project holds, and nothing else about them changes."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from fake_services import Services

from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Finished
from medallion_cli.operations.deployment import code
from medallion_cli.operations.package import Package
from medallion_cli.settings import Settings

FOUND = {
    "BronzeToSilverJob": "retail-dev-bronze-to-silver",
    "SourceFunctionName": "retail-dev-source",
    "ArtifactsBucket": "artifacts",
    "StateMachineArn": "arn:x",
}


class Code(Services):
    """One job and one function as they were deployed, with other code than the project's."""

    def __init__(self, settings: Settings) -> None:
        self.job: dict[str, Any] = {
            "Name": "retail-dev-bronze-to-silver",
            "Role": "arn:aws:iam::000000000000:role/job",
            "Command": {
                "Name": "glueetl",
                "PythonVersion": "3",
                "ScriptLocation": "s3://artifacts/code/glue/0123456789abcdef/bronze_to_silver.py",
            },
            "DefaultArguments": {
                "--extra-py-files": "s3://artifacts/code/glue/0123456789abcdef/medallion_glue.zip",
                "--pipeline_uri": "s3://artifacts/code/pipeline/0123456789abcdef/pipeline.json",
                "--TempDir": "s3://staging/tmp/",
            },
            "GlueVersion": "5.1",
            "WorkerType": "G.1X",
            "NumberOfWorkers": 2,
            "MaxCapacity": 2.0,
            "AllocatedCapacity": 2,
        }
        self.function: dict[str, Any] = {"CodeSha256": "old", "LastUpdateStatus": "Successful"}
        super().__init__(
            settings,
            {
                "glue.get_job": lambda **_: {"Job": dict(self.job)},
                "glue.update_job": self.update_job,
                "lambda.get_function_configuration": lambda **_: dict(self.function),
                "lambda.update_function_code": self.update_function_code,
            },
        )

    def update_job(self, JobName: str, JobUpdate: dict[str, Any]) -> dict[str, Any]:
        self.job = {"Name": JobName, **JobUpdate}
        return {"JobName": JobName}

    def update_function_code(self, FunctionName: str, S3Bucket: str, S3Key: str) -> dict[str, Any]:
        self.function["CodeSha256"] = self.sent[S3Key]
        return {"FunctionName": FunctionName}

    def take(self, built: Package) -> None:
        """What the bucket holds, as Lambda hashes it."""
        self.sent = {
            a.key: base64.b64encode(hashlib.sha256(a.content).digest()).decode() for a in built.artefacts
        }


@pytest.fixture
def account(settings: Settings, built: Package) -> Code:
    made = Code(settings)
    made.take(built)
    return made


def bring(account: Code, built: Package) -> list[Event]:
    return list(code.bring(account, FOUND, built))  # type: ignore[arg-type]


def test_jobs_are_pointed_at_the_projects_scripts_and_keep_the_rest(account: Code, built: Package) -> None:
    before = account.job
    assert Finished("retail-dev-bronze-to-silver", "scripts updated") in bring(account, built)
    keys = built.parameters
    arguments = account.job["DefaultArguments"]
    assert account.job["Command"]["ScriptLocation"] == f"s3://artifacts/{keys['BronzeToSilverKey']}"
    assert arguments["--extra-py-files"] == f"s3://artifacts/{keys['SharedCodeKey']}"
    assert arguments["--pipeline_uri"] == f"s3://artifacts/{keys['PipelineKey']}"
    assert arguments["--TempDir"] == "s3://staging/tmp/"
    kept = ("Role", "GlueVersion", "WorkerType", "NumberOfWorkers")
    assert {k: account.job[k] for k in kept} == {k: before[k] for k in kept}
    assert (
        not {"MaxCapacity", "AllocatedCapacity"} & account.job.keys()
    )  # Glue refuses them with a worker type


def test_functions_get_the_projects_zip(account: Code, built: Package) -> None:
    assert Finished("retail-dev-source", "code updated") in bring(account, built)
    assert account.function["CodeSha256"] == account.sent[built.parameters["SourceCodeKey"]]


def test_nothing_is_touched_that_is_as_it_should_be(account: Code, built: Package) -> None:
    bring(account, built)
    account.asked.clear()
    assert bring(account, built) == []
    assert not [name for name, _ in account.asked if "update" in name]


def test_what_is_stale_is_told(account: Code, built: Package) -> None:
    target: Any = account
    both = {"retail-dev-bronze-to-silver": True, "retail-dev-source": True}
    assert code.stale(target, FOUND, built) == both
    bring(account, built)
    assert code.stale(target, FOUND, built) == dict.fromkeys(both, False)


def test_a_function_that_refuses_its_code_is_an_error(account: Code, built: Package) -> None:
    account.function |= {"LastUpdateStatus": "Failed", "LastUpdateStatusReason": "no such key"}
    with pytest.raises(MedallionError, match="retail-dev-source: no such key"):
        bring(account, built)
