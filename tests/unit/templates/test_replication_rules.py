"""Each way to lose data through DMS's JSON is found, and the shipped templates have none."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from medallion_cli.operations.replication_rules import replication_findings, source_findings
from medallion_cli.spec import Pipeline

Document = dict[str, Any]
Change = Callable[[Document], None]


def captured(pipeline: Pipeline) -> list[tuple[str, str]]:
    return [(t.schema, t.name) for t in pipeline.tables] + [("medallion", "heartbeat")]


def edited(documents: dict[str, Document], change: Change) -> Document:
    template = deepcopy(documents["replication"])
    change(template["Resources"])
    return template


def in_settings(section: str, key: str, value: Any) -> Change:
    def change(resources: Document) -> None:
        properties = resources["Task"]["Properties"]
        settings = json.loads(properties["ReplicationTaskSettings"])
        settings[section][key] = value
        properties["ReplicationTaskSettings"] = json.dumps(settings)

    return change


def in_rules(edit: Callable[[list[Document]], None]) -> Change:
    def change(resources: Document) -> None:
        properties = resources["Task"]["Properties"]
        mappings = json.loads(properties["TableMappings"])
        edit(mappings["rules"])
        properties["TableMappings"] = json.dumps(mappings)

    return change


def in_s3(key: str, value: Any) -> Change:
    return lambda resources: resources["TargetEndpoint"]["Properties"]["S3Settings"].update({key: value})


def without(action: str) -> Change:
    def drop(rules: list[Document]) -> None:
        rules[:] = [r for r in rules if r["rule-action"] != action]

    return in_rules(drop)


def rename_schema(rules: list[Document]) -> None:
    rules[0]["object-locator"]["schema-name"] = "%"


def same_id(rules: list[Document]) -> None:
    rules[1]["rule-id"] = rules[0]["rule-id"]


def trust_everywhere(resources: Document) -> None:
    statement = resources["SecretRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]
    statement["Principal"]["Service"] = "dms.amazonaws.com"


def test_the_shipped_templates_lose_nothing(documents: dict[str, Document], pipeline: Pipeline) -> None:
    assert replication_findings(documents["replication"], captured(pipeline)) == []
    assert source_findings(documents["source"]) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (in_settings("TargetMetadata", "BatchApplyEnabled", True), "BatchApplyEnabled"),
        (in_settings("ChangeProcessingDdlHandlingPolicy", "HandleSourceTableTruncated", True), "TRUNCATE"),
        (in_settings("ChangeProcessingDdlHandlingPolicy", "HandleSourceTableDropped", True), "DROP"),
        (in_settings("FullLoadSettings", "TargetTablePrepMode", "DROP_AND_CREATE"), "generation"),
        (in_s3("IncludeOpForFullLoad", False), "IncludeOpForFullLoad"),
        (in_s3("PreserveTransactions", True), "PreserveTransactions"),
        (in_s3("CdcPath", "changes"), "CdcPath"),
        (in_s3("ParquetTimestampInMillisecond", False), "ParquetTimestampInMillisecond"),
        (in_s3("DataFormat", "parket"), "DataFormat"),
        (in_s3("CompressionType", "brotli"), "brotli"),
        (without("add-column"), "dms_change_seq"),
        (without("add-before-image-columns"), "before-image"),
        (in_rules(lambda rules: rules.pop(0)), "not captured"),
        (in_rules(rename_schema), "pattern"),
        (in_rules(same_id), "rule-id"),
        (trust_everywhere, "trust"),
    ],
)
def test_a_way_to_lose_data_is_found(
    documents: dict[str, Document], pipeline: Pipeline, change: Change, named: str
) -> None:
    found = replication_findings(edited(documents, change), captured(pipeline))
    assert any(named in finding.what for finding in found), found


def test_every_section_is_sent_with_every_update(documents: dict[str, Document], pipeline: Pipeline) -> None:
    def drop(resources: Document) -> None:
        properties = resources["Task"]["Properties"]
        settings = json.loads(properties["ReplicationTaskSettings"])
        del settings["ErrorBehavior"]
        properties["ReplicationTaskSettings"] = json.dumps(settings)

    found = replication_findings(edited(documents, drop), captured(pipeline))
    assert any(finding.what.startswith("ErrorBehavior is missing") for finding in found)


@pytest.mark.parametrize(("name", "value"), [("binlog_row_image", "MINIMAL"), ("binlog_format", "STATEMENT")])
def test_a_binlog_that_dms_cannot_use_is_found(documents: dict[str, Document], name: str, value: str) -> None:
    template = deepcopy(documents["source"])
    template["Resources"]["DatabaseParameters"]["Properties"]["Parameters"][name] = value
    assert [f.what.split()[0] for f in source_findings(template)] == [name]


def test_a_database_without_backups_has_no_binlog(documents: dict[str, Document]) -> None:
    template = deepcopy(documents["source"])
    template["Parameters"]["BackupDays"]["Default"] = 0
    assert "BackupRetentionPeriod" in str(source_findings(template))
