"""The source database: its binlog, what keeps it, its secrets, and that nothing reaches it without TLS."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation import mysql_parameters
from medallion_cli.operations.validation.documents import (
    UNKNOWN,
    Document,
    mapping,
    parsed_json,
    text,
    truthy,
)

if TYPE_CHECKING:
    from medallion_cli.operations.validation.deployment import Deployment

# What a generated password may not hold: RDS and Redshift refuse / @ " ' \ and blanks, DMS reads ; + % as its own.
REFUSED = "/@\"'\\ ;+%"


def source_findings(deployment: Deployment) -> Iterator[Finding]:
    """Findings in an environment's source."""
    instances = deployment.of_type("AWS::RDS::DBInstance")
    if not instances:
        yield Finding(
            "infra_templates/source.yaml Resources",
            "has no database",
            "add an AWS::RDS::DBInstance",
            "MED-RDS-001",
        )
    for stack, logical, database in instances:
        yield from _database(deployment, stack, logical, database)
    for stack, logical, group in deployment.of_type("AWS::RDS::DBParameterGroup"):
        yield from _parameters(deployment, stack, logical, group)
    yield from _secrets(deployment)


def _database(deployment: Deployment, stack: str, logical: str, database: Document) -> Iterator[Finding]:
    where = deployment.place(stack, logical)
    if not _number(database.get("BackupRetentionPeriod", 1)):
        at = deployment.place(stack, logical, "BackupRetentionPeriod")
        what = "BackupRetentionPeriod is 0: RDS writes no binlog without backups"
        yield Finding(at, what, "1 to 35 days", "MED-RDS-002")
    version = str(database.get("EngineVersion", ""))
    if database.get("EngineVersion") is not UNKNOWN and not re.fullmatch(r"(8\.[4-9]|9\.\d+)\.\d+", version):
        at = deployment.place(stack, logical, "EngineVersion")
        what = f"EngineVersion {version!r}: RDS's standard support of MySQL 8.0 has ended, and a bare 8.4 is refused"
        yield Finding(at, what, "a full version such as 8.4.8", "MED-RDS-003")
    yield from _group(deployment, stack, logical, database, version)
    if truthy(database.get("ManageMasterUserPassword")):
        what = "the secret that RDS manages holds no host and port, which DMS and the functions read"
        yield Finding(
            f"{where}.ManageMasterUserPassword",
            what,
            "a generated secret with SecretTargetAttachment",
            "MED-RDS-004",
        )
    small, large = _number(database.get("AllocatedStorage")), _number(database.get("MaxAllocatedStorage"))
    if small and large and large < small * 1.1:
        at = deployment.place(stack, logical, "MaxAllocatedStorage")
        what = f"MaxAllocatedStorage {large:g} leaves {small:g} no room to grow, and RDS refuses it"
        yield Finding(at, what, "at least a tenth above AllocatedStorage", "MED-RDS-005")
    if deployment.settings.guards.termination_protection:
        for key in ("MultiAZ", "DeletionProtection"):
            if database.get(key) is not UNKNOWN and not truthy(database.get(key)):
                at = deployment.place(stack, logical, key)
                yield Finding(at, f"{key} is off in a protected environment", f"{key}: true", "MED-RDS-006")


def _group(
    deployment: Deployment, stack: str, logical: str, database: Document, version: str
) -> Iterator[Finding]:
    """The database uses a parameter group of the template, of its own version's family."""
    where = deployment.place(stack, logical, "DBParameterGroupName")
    body = mapping(
        deployment.stacks[stack].template, "Resources", logical, "Properties", "DBParameterGroupName"
    )
    named = text(body, "Ref")
    groups = {name: group for _, name, group in deployment.of_type("AWS::RDS::DBParameterGroup")}
    if named not in groups:
        what = "leads to no parameter group here: AWS's default one has no binlog for DMS"
        yield Finding(where, what, "the Ref of the AWS::RDS::DBParameterGroup", "MED-RDS-007")
        return
    family = text(groups[named], "Family")
    if family != f"mysql{'.'.join(version.split('.')[:2])}":
        at = deployment.place(stack, named, "Family")
        yield Finding(
            at, f"Family {family} is not that of MySQL {version}", f"mysql{version[:3]}", "MED-RDS-007"
        )


def _parameters(deployment: Deployment, stack: str, logical: str, group: Document) -> Iterator[Finding]:
    where, given = deployment.place(stack, logical, "Parameters"), mapping(group, "Parameters")
    for name, (value, why) in mysql_parameters.NEEDED.items():
        if str(given.get(name, "not set")).upper() != value:
            what = f"{name} is {given.get(name, 'not set')}: {why}"
            yield Finding(f"{where}.{name}", what, f"{name}: {value}", "MED-RDS-010")
    for name, (one, other, why) in mysql_parameters.HARMFUL.items():
        if str(given.get(name)).lower() in (one, other):
            yield Finding(
                f"{where}.{name}", f"{name} is {given[name]}: {why}", f"take {name} out", "MED-RDS-010"
            )
    for name, value in given.items():
        if name not in mysql_parameters.KNOWN:
            near = difflib.get_close_matches(name, mysql_parameters.KNOWN, 1)
            remedy = f"did you mean {near[0]}?" if near else "take it out"
            yield Finding(
                f"{where}.{name}",
                "RDS for MySQL 8.4 has no such parameter that may be set",
                remedy,
                "MED-RDS-011",
            )
        choices = mysql_parameters.CHOICES.get(name)
        if choices and str(value).upper() not in choices:
            remedy = f"one of: {', '.join(choices)}"
            yield Finding(f"{where}.{name}", f"{value!r} is none of its values", remedy, "MED-RDS-011")
        if name in mysql_parameters.SWITCHES and str(value).lower() not in ("0", "1", "on", "off"):
            yield Finding(f"{where}.{name}", f"{value!r} is neither 0 nor 1", '"0" or "1"', "MED-RDS-011")
    encrypted = deployment.settings.parameters.get("SourceTls") != "false"
    if encrypted and str(given.get("require_secure_transport")).lower() not in ("1", "on"):
        what = "require_secure_transport is off: connections without TLS are taken"
        yield Finding(
            f"{where}.require_secure_transport", what, 'require_secure_transport: "1"', "MED-RDS-012"
        )


def _secrets(deployment: Deployment) -> Iterator[Finding]:
    """Generated, without characters that a service refuses; the one that DMS reads has all four keys."""
    read = {
        text(e, "MySqlSettings", "SecretsManagerSecretId")
        for _, _, e in deployment.of_type("AWS::DMS::Endpoint")
    }
    for stack, logical, secret in deployment.of_type("AWS::SecretsManager::Secret"):
        where = deployment.place(stack, logical)
        rules = mapping(secret, "GenerateSecretString")
        if "SecretString" in secret:
            what = "the template holds the secret, in the open"
            yield Finding(f"{where}.SecretString", what, "GenerateSecretString", "MED-SEC-101")
        elif not rules:
            yield Finding(where, "generates no secret", "GenerateSecretString", "MED-SEC-101")
        elif not truthy(rules.get("ExcludePunctuation")) and set(REFUSED) - set(
            text(rules, "ExcludeCharacters") + " "
        ):
            what = (
                f"a password may hold one of {REFUSED.replace(' ', '')}, which RDS, Redshift or DMS refuses"
            )
            yield Finding(f"{where}.GenerateSecretString", what, "ExcludePunctuation: true", "MED-SEC-102")
        yield from _login(where, rules)
        if _secret_arn(deployment, stack, logical) in read:
            yield from _four_keys(where, rules)
    yield from _attached(deployment)


def _secret_arn(deployment: Deployment, stack: str, logical: str) -> Any:
    from medallion_cli.operations.validation.replication import _arn

    return _arn(deployment, stack, logical)


def _login(where: str, rules: Document) -> Iterator[Finding]:
    """Whoever reads a login reads `username` and `password`."""
    if "SecretStringTemplate" in rules:
        place, known = f"{where}.GenerateSecretString", parsed_json(rules["SecretStringTemplate"])
        if not isinstance(known, dict):
            yield Finding(
                f"{place}.SecretStringTemplate", "is no JSON object", "a JSON object", "MED-RDS-020"
            )
        elif "username" not in known:
            yield Finding(f"{place}.SecretStringTemplate", "has no username", '"username": …', "MED-RDS-020")
        if text(rules, "GenerateStringKey") != "password":
            what = f"the password would be called {text(rules, 'GenerateStringKey')!r}, which nobody reads"
            yield Finding(f"{place}.GenerateStringKey", what, "GenerateStringKey: password", "MED-RDS-020")


def _four_keys(where: str, rules: Document) -> Iterator[Finding]:
    known = parsed_json(rules.get("SecretStringTemplate"))
    keys = {*(known if isinstance(known, dict) else ()), text(rules, "GenerateStringKey")}
    for key in ("username", "password", "host", "port"):
        if key not in keys:
            what = f"has no {key}: DMS reads username, password, host and port from it"
            yield Finding(f"{where}.GenerateSecretString", what, f"add {key}", "MED-RDS-020")


def _attached(deployment: Deployment) -> Iterator[Finding]:
    """The master user's secret is attached to the database, so that its host and port are in it."""
    attached = {
        text(a, "SecretId") for _, _, a in deployment.of_type("AWS::SecretsManager::SecretTargetAttachment")
    }
    for stack, logical, database in deployment.of_type("AWS::RDS::DBInstance"):
        password = text(database, "MasterUserPassword")
        found = re.fullmatch(r"\{\{resolve:secretsmanager:(arn:[^}]*?):SecretString:password.*\}\}", password)
        if found and found[1] not in attached:
            where = deployment.place(stack, logical, "MasterUserPassword")
            what = "its secret is not attached: the functions find no host in it"
            yield Finding(where, what, "an AWS::SecretsManager::SecretTargetAttachment", "MED-RDS-021")


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 1.0 if value is UNKNOWN else 0.0
