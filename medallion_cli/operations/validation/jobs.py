"""Glue jobs: arguments that the scripts read, and what Spark has to be told about Iceberg and time."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from medallion_cli.errors import UsageError
from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation import code_facts
from medallion_cli.operations.validation.documents import UNKNOWN, Document, at, mapping, text, words
from medallion_cli.operations.validation.machine import TYPE, definition, substituted
from medallion_cli.operations.validation.machine_calls import calls

if TYPE_CHECKING:
    from medallion_cli.assets import Assets
    from medallion_cli.operations.validation.deployment import Deployment

# https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-glue-arguments.html
SPECIAL = words(
    """
    additional-python-modules auto-scale-within-microbatch class conf
    continuous-log-conversionPattern continuous-log-logGroup continuous-log-logStreamPrefix
    custom-logGroup-prefix custom-logStream-prefix customer-driver-env-vars
    customer-executor-env-vars datalake-formats disable-proxy-v2 enable-auto-scaling
    enable-continuous-cloudwatch-log enable-continuous-log-filter enable-glue-datacatalog
    enable-job-insights enable-lakeformation-fine-grained-access enable-metrics
    enable-observability-metrics enable-rename-algorithm-v2 enable-s3-parquet-optimized-committer
    enable-spark-ui extra-files extra-jars extra-py-files job-bookmark-option job-language
    python-modules-installer-option scriptLocation spark-event-logs-path spark-ui-event-logs-path
    TempDir use-postgres-driver user-jars-first write-shuffle-files-to-s3 write-shuffle-spills-to-s3
    """
)
NEEDED = {
    "datalake-formats": ("iceberg", "the job could not load Iceberg"),
    "job-bookmark-option": ("job-bookmark-disable", "silver's own rows say what was processed"),
}
SPARK = {
    "spark.sql.extensions": (
        "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "MERGE needs them",
    ),
    "spark.sql.session.timeZone": ("UTC", "moments would shift"),
    "spark.sql.parquet.outputTimestampType": ("TIMESTAMP_MICROS", "Redshift's COPY reads no INT96"),
    "spark.sql.parquet.datetimeRebaseModeInRead": ("CORRECTED", "old dates would shift, or fail"),
    "spark.sql.parquet.datetimeRebaseModeInWrite": ("CORRECTED", "old dates would shift, or fail"),
}
CATALOG = {
    "catalog-impl": "org.apache.iceberg.aws.glue.GlueCatalog",
    "io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
}


def job_findings(deployment: Deployment, assets: Assets) -> Iterator[Finding]:
    """Findings in the jobs' settings."""
    started = _started(deployment)
    for stack, logical, job in deployment.of_type("AWS::Glue::Job"):
        where = deployment.place(stack, logical)
        script = text(job, "Command", "ScriptLocation").rpartition("/")[2].removesuffix(".py")
        try:
            source = assets.read(f"glue_scripts/{script}.py")
        except UsageError:
            what = f"leads to no script: {text(job, 'Command', 'ScriptLocation')}"
            yield Finding(
                f"{where}.Command.ScriptLocation", what, "s3://${CodeBucket}/${<Script>Key}", "MED-GLU-001"
            )
            continue
        given = {key.removeprefix("--"): value for key, value in mapping(job, "DefaultArguments").items()}
        yield from _arguments(
            where, code_facts.script_arguments(source), given, started.get(text(job, "Name"), set())
        )
        yield from _special(where, given, source)
        yield from _spark(where, given)
        yield from _places(deployment, where, job, given)
        if "MaxCapacity" in job:
            yield Finding(
                f"{where}.MaxCapacity", "Glue refuses it beside WorkerType", "take it out", "MED-GLU-002"
            )
    yield from _passed(deployment, assets)


def _started(deployment: Deployment) -> dict[str, set[str]]:
    """Job → arguments that the state machine gives."""
    found: dict[str, set[str]] = {}
    for _, _, properties in deployment.of_type(TYPE):
        machine = definition(properties)
        for _, service, operation, arguments in calls(substituted(machine, properties)) if machine else ():
            if (service, operation) == ("glue", "StartJobRun"):
                names = {key.removeprefix("--") for key in mapping(arguments, "Arguments")}
                found.setdefault(text(arguments, "JobName"), set()).update(names)
    return found


def _arguments(where: str, asked: code_facts.Asked, given: Document, started: set[str]) -> Iterator[Finding]:
    passed = (
        given.keys() | started | code_facts.given_by_the_tool() if not started else given.keys() | started
    )
    for name in sorted(asked.needed - passed):
        what = f"the script needs --{name}, and neither the job nor the state machine gives it"
        yield Finding(f"{where}.DefaultArguments.--{name}", what, f"add --{name}", "MED-GLU-003")
    for name in sorted(given.keys() - asked.known - SPECIAL - _unread()):
        near = difflib.get_close_matches(name, sorted(asked.known | SPECIAL), 1)
        remedy = f"did you mean --{near[0]}?" if near else "take it out"
        yield Finding(
            f"{where}.DefaultArguments.--{name}",
            "neither Glue nor the script reads it",
            remedy,
            "MED-GLU-004",
        )


def _unread() -> set[str]:
    """Given to all jobs alike, read by some."""
    return {
        "artifacts_bucket",
        "bronze_bucket",
        "staging_bucket",
        "silver_database",
        "pipeline_uri",
        "catalog",
    }


def _special(where: str, given: Document, source: str) -> Iterator[Finding]:
    for name, (value, why) in NEEDED.items():
        if given.get(name) != value:
            place = f"{where}.DefaultArguments.--{name}"
            yield Finding(place, f"is {given.get(name)!r}: {why}", f'"--{name}": {value}', "MED-GLU-005")
    if "medallion_glue" in source and not text(given, "extra-py-files").endswith("SharedCodeKey"):
        place = f"{where}.DefaultArguments.--extra-py-files"
        yield Finding(
            place,
            "does not lead to medallion_glue.zip, which the script imports",
            "${SharedCodeKey}",
            "MED-GLU-005",
        )
    for name, value in given.items():
        if "-" in name and name not in SPECIAL:
            place = f"{where}.DefaultArguments.--{name}"
            yield Finding(
                place,
                "Glue's scripts cannot read names with a hyphen",
                f"--{name.replace('-', '_')}",
                "MED-GLU-004",
            )
        if not isinstance(value, str) and value is not UNKNOWN:
            place = f"{where}.DefaultArguments.--{name}"
            yield Finding(place, f"{value!r} is no text", f'"{str(value).lower()}"', "MED-GLU-006")


def _spark(where: str, given: Document) -> Iterator[Finding]:
    if given.get("conf") is UNKNOWN:
        return
    conf = dict(_pairs(text(given, "conf")))
    place = f"{where}.DefaultArguments.--conf"
    for name, (value, why) in SPARK.items():
        if conf.get(name) != value:
            yield Finding(place, f"{name} is {conf.get(name)}: {why}", f"{name}={value}", "MED-GLU-007")
    catalog = text(given, "catalog") or "glue_catalog"
    if conf.get(f"spark.sql.catalog.{catalog}") != "org.apache.iceberg.spark.SparkCatalog":
        what = f"spark.sql.catalog.{catalog} is no Iceberg catalog, and the script reads {catalog}"
        yield Finding(
            place, what, f"spark.sql.catalog.{catalog}=org.apache.iceberg.spark.SparkCatalog", "MED-GLU-007"
        )
    for key, value in CATALOG.items():
        if conf.get(f"spark.sql.catalog.{catalog}.{key}") != value:
            what = f"spark.sql.catalog.{catalog}.{key} is {conf.get(f'spark.sql.catalog.{catalog}.{key}')}"
            yield Finding(place, what, f"{key}={value}", "MED-GLU-007")
    if not conf.get(f"spark.sql.catalog.{catalog}.warehouse", "").startswith("s3://"):
        what = f"spark.sql.catalog.{catalog}.warehouse is no place in S3"
        yield Finding(place, what, "warehouse=s3://${SilverBucket}/warehouse", "MED-GLU-007")


def _places(deployment: Deployment, where: str, job: Document, given: Document) -> Iterator[Finding]:
    """What is named in S3 is in a bucket of the templates, and the groups that Glue logs to have an end."""
    buckets = {text(bucket, "BucketName") for _, _, bucket in deployment.of_type("AWS::S3::Bucket")}
    places = {"Command.ScriptLocation": at(job, "Command", "ScriptLocation")}
    places |= {f"DefaultArguments.--{name}": value for name, value in given.items() if _is_place(name)}
    for path, value in places.items():
        for one in (part.strip() for part in str(value).split(",")):
            found = re.fullmatch(r"s3://([^/]+)/.*", one)
            if value is not UNKNOWN and (found is None or found[1] not in buckets):
                what = f"{one} is in no bucket of the templates"
                yield Finding(
                    f"{where}.{path}", what, "s3://${CodeBucket}/… or another of them", "MED-GLU-010"
                )
    prefix = given.get("custom-logGroup-prefix", "/aws-glue/jobs")
    groups = {text(group, "LogGroupName") for _, _, group in deployment.of_type("AWS::Logs::LogGroup")}
    for name in sorted({f"{prefix}/output", f"{prefix}/error"} - groups) if prefix is not UNKNOWN else ():
        what = f"logs to {name}, which no template makes: Glue makes one that is kept for ever"
        place = f"{where}.DefaultArguments.--custom-logGroup-prefix"
        yield Finding(place, what, "the prefix of the template's log groups", "MED-GLU-011")


def _is_place(name: str) -> bool:
    return name.endswith("_uri") or name in ("TempDir", "extra-py-files", "extra-jars", "extra-files")


def _pairs(conf: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"\s*--conf\s+", conf.strip()):
        name, _, value = part.partition("=")
        yield name.strip(), value.strip()


def _passed(deployment: Deployment, assets: Assets) -> Iterator[Finding]:
    """Arguments that the state machine gives are read by the script of the job that it starts."""
    scripts = {
        text(j, "Name"): text(j, "Command", "ScriptLocation")
        for _, _, j in deployment.of_type("AWS::Glue::Job")
    }
    for name, arguments in _started(deployment).items():
        where = "infra_templates/state_machine.yaml"
        if name not in scripts:
            yield Finding(
                where,
                f"starts the job {name!r}, which there is not",
                "a job of transform.yaml",
                "MED-GLU-008",
            )
            continue
        script = scripts[name].rpartition("/")[2].removesuffix(".py")
        asked = _asked(assets, script)
        for argument in sorted(arguments - asked - SPECIAL):
            near = difflib.get_close_matches(argument, sorted(asked), 1)
            remedy = f"did you mean --{near[0]}?" if near else "take it out"
            yield Finding(f"{where} --{argument}", f"{script} reads no --{argument}", remedy, "MED-GLU-009")


def _asked(assets: Assets, script: str) -> frozenset[Any]:
    try:
        return code_facts.script_arguments(assets.read(f"glue_scripts/{script}.py")).known
    except UsageError:
        return frozenset()
