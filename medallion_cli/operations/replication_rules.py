"""What DMS must be told so that nothing is lost (its user guide, Target.S3 and Source.MySQL); cfn-lint reads none of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from medallion_cli.operations.findings import Finding

WHERE = "infra_templates/replication.yaml"
SOURCE = "infra_templates/source.yaml"

Document = dict[str, Any]

# (section, key, value, why)
TASK = (
    ("TargetMetadata", "BatchApplyEnabled", False, "batch apply can lose data on an S3 target"),
    ("TargetMetadata", "FullLobMode", False, "an S3 target has no full LOB mode"),
    ("FullLoadSettings", "TargetTablePrepMode", "DO_NOTHING", "bronze is immutable; a reload is a new generation"),
    ("ChangeProcessingDdlHandlingPolicy", "HandleSourceTableTruncated", False, "a TRUNCATE deletes the table's files"),
    ("ChangeProcessingDdlHandlingPolicy", "HandleSourceTableDropped", False, "a DROP deletes the table's files"),
    ("ChangeProcessingDdlHandlingPolicy", "HandleSourceTableAltered", True, "new columns have to arrive"),
    ("ErrorBehavior", "FailOnNoTablesCaptured", True, "a task without tables has to say so"),
    ("ValidationSettings", "EnableValidation", False, "its validation of S3 needs Athena and runs once a day"),
)  # fmt: skip
SECTIONS = (
    "TargetMetadata",
    "FullLoadSettings",
    "Logging",
    "ControlTablesSettings",
    "StreamBufferSettings",
    "ChangeProcessingTuning",
    "ChangeProcessingDdlHandlingPolicy",
    "ErrorBehavior",
    "ValidationSettings",
)
S3 = (
    ("DataFormat", "parquet", "bronze is Parquet"),
    ("IncludeOpForFullLoad", True, "rows of a full load would have no Op"),
    ("ParquetTimestampInMillisecond", True, "Spark and Athena garble DMS's microseconds"),
    ("PreserveTransactions", False, "it forces CSV without column names and date folders"),
    ("CdcInsertsOnly", False, "updates and deletes would be lost"),
    ("CdcInsertsAndUpdates", False, "deletes would be lost"),
    ("TimestampColumnName", "dms_commit_ts", "silver reads it"),
    ("DatePartitionEnabled", True, "silver lists bronze by day"),
)
BINLOG = {"binlog_format": "ROW", "binlog_row_image": "FULL", "binlog_checksum": "NONE"}


def replication_findings(template: Document, tables: list[tuple[str, str]]) -> list[Finding]:
    """Findings in the rendered replication template; `tables` are (schema, name) that have to be captured."""
    found = template["Resources"]
    task = found["Task"]["Properties"]
    return [
        *_settings(json.loads(task["ReplicationTaskSettings"])),
        *_mappings(json.loads(task["TableMappings"])["rules"], tables),
        *_s3(found["TargetEndpoint"]["Properties"]["S3Settings"]),
        *_mysql(found["SourceEndpoint"]["Properties"]),
        *_trust(found["SecretRole"]["Properties"]["AssumeRolePolicyDocument"]),
    ]


def source_findings(template: Document) -> list[Finding]:
    """Findings in the rendered source template: the binlog and what keeps it."""
    found = template["Resources"]
    given = found["DatabaseParameters"]["Properties"]["Parameters"]
    wrong = [
        Finding(SOURCE, f"{name} is {given.get(name)}, not {value}: change data capture needs it")
        for name, value in BINLOG.items()
        if given.get(name) != value
    ]
    if _default(template, found["Database"]["Properties"].get("BackupRetentionPeriod", 0)) < 1:
        wrong.append(Finding(SOURCE, "BackupRetentionPeriod is 0: RDS writes no binlog without backups"))
    return wrong


def _default(template: Document, value: Any) -> Any:
    """A value, or the default of the parameter it refers to."""
    if isinstance(value, dict) and "Ref" in value:
        return template["Parameters"][value["Ref"]].get("Default", 0)
    return value


def _settings(settings: Document) -> Iterator[Finding]:
    where = "infra_templates/replication_settings.yaml"
    for section in SECTIONS:
        if section not in settings:
            yield Finding(where, f"{section} is missing: DMS refuses updates of partial settings")
    for section, key, value, why in TASK:
        if settings.get(section, {}).get(key) != value:
            yield Finding(where, f"{section}.{key} is not {json.dumps(value)}: {why}")
    for section in settings.keys() - set(SECTIONS):
        yield Finding(where, f"{section} is no section of DMS's task settings")


def _mappings(rules: list[Document], tables: list[tuple[str, str]]) -> Iterator[Finding]:
    where = f"{WHERE} TableMappings"
    for key in ("rule-id", "rule-name"):
        values = [rule[key] for rule in rules]
        for value in sorted({v for v in values if values.count(v) > 1}):
            yield Finding(where, f"two rules have the {key} {value}")
    selected = [r["object-locator"] for r in rules if r["rule-type"] == "selection"]
    located = [(locator["schema-name"], locator["table-name"]) for locator in selected]
    for schema, table in located:
        if "%" in schema:
            yield Finding(where, f"the schema {schema} is a pattern: MySQL's own tables would match")
        if (schema, table) not in tables:
            yield Finding(where, f"{schema}.{table} is captured and not in the specification")
    for schema, table in tables:
        if (schema, table) not in located:
            yield Finding(where, f"{schema}.{table} is not captured")
    for schema in sorted({schema for schema, _ in tables}):
        yield from _columns(where, schema, rules)


def _columns(where: str, schema: str, rules: list[Document]) -> Iterator[Finding]:
    own = [
        r
        for r in rules
        if r["rule-type"] == "transformation" and r["object-locator"]["schema-name"] == schema
    ]
    if not any(r.get("expression") == "$AR_H_CHANGE_SEQ" and r.get("value") == "dms_change_seq" for r in own):
        yield Finding(
            where, f"{schema}: no column dms_change_seq from $AR_H_CHANGE_SEQ: changes could not be ordered"
        )
    if not any(r.get("rule-action") == "add-before-image-columns" for r in own):
        yield Finding(
            where, f"{schema}: no before-image of the key: a changed key would leave its old row alive"
        )


def _s3(settings: Document) -> Iterator[Finding]:
    for key, value, why in S3:
        if settings.get(key, False) != value:
            yield Finding(f"{WHERE} S3Settings", f"{key} is not {json.dumps(value)}: {why}")
    for key in ("CdcPath", "BucketName"):
        if (key in settings) != (key == "BucketName"):
            yield Finding(
                f"{WHERE} S3Settings", f"{key}: it forces CSV" if key == "CdcPath" else "no BucketName"
            )
    yield from _enums("S3Settings", settings)


def _mysql(properties: Document) -> Iterator[Finding]:
    if "DatabaseName" in properties:
        yield Finding(WHERE, "SourceEndpoint.DatabaseName: a MySQL endpoint with one captures nothing else")
    if json.dumps(properties.get("SslMode")).find("require") >= 0:
        yield Finding(WHERE, "SourceEndpoint.SslMode: `require` does not exist for MySQL")
    yield from _enums("MySQLSettings", properties["MySqlSettings"])


def _trust(document: Document) -> Iterator[Finding]:
    principal = document["Statement"][0]["Principal"]["Service"]
    if "dms.${AWS::Region}.amazonaws.com" not in json.dumps(principal):
        yield Finding(
            WHERE, "SecretRole has to trust dms.<region>.amazonaws.com: DMS could not read the secret"
        )


def _enums(shape: str, given: Document) -> Iterator[Finding]:
    """Values outside DMS's own lists (botocore's model); values that are known only when deployed are left alone."""
    for name, value in given.items():
        allowed = _allowed(shape).get(name.lower())
        if allowed and isinstance(value, str) and value.lower() not in {a.lower() for a in allowed}:
            yield Finding(f"{WHERE} {shape}", f"{name}: {value!r} is none of {', '.join(allowed)}")


@cache
def _allowed(shape: str) -> dict[str, list[str]]:
    import botocore.session

    members = botocore.session.get_session().get_service_model("dms").shape_for(shape).members
    return {name.lower(): list(getattr(member, "enum", [])) for name, member in members.items()}
