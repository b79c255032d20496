"""DMS's task settings as its user guide has them: sections, keys, types, lists and limits; DMS refuses any other key."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation.documents import at, listed, text, words

WHERE = "infra_templates/replication_settings.yaml"

TABLE = Path(__file__).with_name("task_settings.yaml")
LOG_IDS = words(
    """
    SOURCE_UNLOAD SOURCE_CAPTURE TARGET_LOAD TARGET_APPLY TASK_MANAGER TRANSFORMATION IO PERFORMANCE
    SORTER REST_SERVER VALIDATOR_EXT TABLES_MANAGER METADATA_MANAGER FILE_FACTORY COMMON ADDONS
    DATA_STRUCTURE COMMUNICATION FILE_TRANSFER
    """
)
LOG_LEVELS = words(
    """
    LOGGER_SEVERITY_ERROR LOGGER_SEVERITY_WARNING LOGGER_SEVERITY_INFO LOGGER_SEVERITY_DEFAULT
    LOGGER_SEVERITY_DEBUG LOGGER_SEVERITY_DETAILED_DEBUG
    """
)
OPTIONAL = (
    "BeforeImageSettings",
    "CharacterSetSettings",
    "FailTaskWhenCleanTaskResourceFailed",
    "LoopbackPreventionSettings",
    "PostProcessingRules",
    "TTSettings",
)
# (section, key, value, why): what keeps this pipeline's bronze whole
NEEDED = (
    ("TargetMetadata", "BatchApplyEnabled", False, "batch apply can lose data on an S3 target"),
    ("TargetMetadata", "FullLobMode", False, "an S3 target has no full LOB mode"),
    ("TargetMetadata", "SupportLobs", True, "LOB columns would be left out"),
    ("TargetMetadata", "LimitedSizeLobMode", True, "an S3 target takes LOBs of a limited size only"),
    ("FullLoadSettings", "TargetTablePrepMode", "DO_NOTHING", "bronze is immutable; a reload is a new generation"),
    ("FullLoadSettings", "StopTaskCachedChangesApplied", False, "the task would stop after the full load"),
    ("FullLoadSettings", "StopTaskCachedChangesNotApplied", False, "the task would stop after the full load"),
    ("Logging", "EnableLogging", True, "a task that fails would say nothing"),
    ("ChangeProcessingDdlHandlingPolicy", "HandleSourceTableTruncated", False, "a TRUNCATE deletes the table's files"),
    ("ChangeProcessingDdlHandlingPolicy", "HandleSourceTableDropped", False, "a DROP deletes the table's files"),
    ("ChangeProcessingDdlHandlingPolicy", "HandleSourceTableAltered", True, "new columns have to arrive"),
    ("ErrorBehavior", "FailOnNoTablesCaptured", True, "a task without tables has to say so"),
    ("ErrorBehavior", "RecoverableErrorCount", -1, "the task would give up at a short interruption"),
    ("ValidationSettings", "EnableValidation", False, "its validation of S3 needs Athena and runs once a day"),
)  # fmt: skip
# Values by which rows vanish without the task saying so.
SILENT = {"DataErrorPolicy": "IGNORE_RECORD", "DataTruncationErrorPolicy": "IGNORE_RECORD"}


def settings_findings(settings: Any) -> Iterator[Finding]:
    """Findings in the task's settings document."""
    if not isinstance(settings, dict):
        yield Finding(
            WHERE,
            "is no mapping of sections",
            "write the nine sections of DMS's task settings",
            "MED-DMS-001",
        )
        return
    for section in sections().keys() - settings.keys():
        what = f"{section} is missing: DMS refuses updates of partial settings"
        yield Finding(f"{WHERE} {section}", what, f"add the section {section}", "MED-DMS-002")
    for section, given in settings.items():
        yield from _section(section, given)
    for section, key, value, why in NEEDED:
        given = settings.get(section)
        if isinstance(given, dict) and given.get(key) != value:
            shown = str(value).lower() if isinstance(value, bool) else value
            yield Finding(
                f"{WHERE} {section}.{key}", f"is {given.get(key)!r}: {why}", f"{key}: {shown}", "MED-DMS-007"
            )
    for key, value in SILENT.items():
        if at(settings, "ErrorBehavior", key) == value:
            where = f"{WHERE} ErrorBehavior.{key}"
            yield Finding(
                where,
                f"{value} drops rows that DMS cannot apply, and silver never learns",
                f"{key}: SUSPEND_TABLE",
                "MED-DMS-007",
            )


def _section(section: str, given: Any) -> Iterator[Finding]:
    where = f"{WHERE} {section}"
    if section not in sections():
        if section not in OPTIONAL:
            what = f"{section} is no section of DMS's task settings"
            yield Finding(where, what, f"one of: {', '.join(sections())}", "MED-DMS-004")
        return
    if not isinstance(given, dict):
        yield Finding(where, "is no mapping", "write key: value pairs", "MED-DMS-004")
        return
    for key, value in given.items():
        kind = sections()[section].get(key)
        if kind is None:
            known = ", ".join(sections()[section])
            yield Finding(
                f"{where}.{key}",
                "DMS knows no such key, and refuses the settings",
                f"one of: {known}",
                "MED-DMS-005",
            )
        elif not _is(value, kind):
            yield Finding(
                f"{where}.{key}", f"{value!r} is not {_words(kind)}", f"write {_words(kind)}", "MED-DMS-006"
            )
    for component in listed(given, "LogComponents") if section == "Logging" else []:
        yield from _component(f"{where}.LogComponents", component)


def _component(where: str, component: Any) -> Iterator[Finding]:
    for key, allowed in (("Id", LOG_IDS), ("Severity", LOG_LEVELS)):
        if text(component, key) not in allowed:
            yield Finding(
                where,
                f"{key} {at(component, key)!r} does not exist",
                f"one of: {', '.join(sorted(allowed)[:8])}, …",
                "MED-DMS-006",
            )


def _is(value: Any, kind: Any) -> bool:
    match kind:
        case {"from": least, "to": most}:
            return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        case list():
            return value in kind
        case "text":
            return value is None or isinstance(value, str)
    return isinstance(value, bool if kind == "switch" else list)


def _words(kind: Any) -> str:
    match kind:
        case {"from": least, "to": most}:
            return f"a number from {least} to {most}"
        case list():
            return f"one of {', '.join(kind)}"
    return {"switch": "true or false", "text": "a text", "list": "a list"}[str(kind)]


@cache
def sections() -> dict[str, dict[str, Any]]:
    """Section → key → what its value is."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return found
