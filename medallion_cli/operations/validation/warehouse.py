"""Redshift Serverless: sizes that fit each other, one way to its password, TLS, and settings that it knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation.documents import UNKNOWN, listed, text

if TYPE_CHECKING:
    from medallion_cli.operations.validation.deployment import Deployment

SWITCHES = (
    "auto_mv",
    "enable_case_sensitive_identifier",
    "enable_user_activity_logging",
    "require_ssl",
    "use_fips_ssl",
)
LIMITS = (
    "max_query_cpu_time", "max_query_blocks_read", "max_scan_row_count", "max_query_execution_time", "max_query_queue_time",
    "max_query_cpu_usage_percent", "max_query_temp_blocks_to_disk", "max_join_row_count", "max_nested_loop_join_row_count",
)  # fmt: skip
OTHERS = ("datestyle", "query_group", "search_path")


def warehouse_findings(deployment: Deployment) -> Iterator[Finding]:
    """Findings in an environment's workgroups and namespaces."""
    names = [text(n, "NamespaceName") for _, _, n in deployment.of_type("AWS::RedshiftServerless::Namespace")]
    for stack, logical, namespace in deployment.of_type("AWS::RedshiftServerless::Namespace"):
        where = deployment.place(stack, logical)
        managed = str(namespace.get("ManageAdminPassword", "false")).lower() == "true"
        if managed == ("AdminUserPassword" in namespace):
            what = "needs ManageAdminPassword or AdminUserPassword, and takes one of them"
            yield Finding(
                f"{where}.AdminUserPassword",
                what,
                "AdminUserPassword from the generated secret",
                "MED-RSH-001",
            )
        default = namespace.get("DefaultIamRoleArn")
        if default is not None and default is not UNKNOWN and default not in listed(namespace, "IamRoles"):
            yield Finding(
                f"{where}.DefaultIamRoleArn", "is not among IamRoles", "add it to IamRoles", "MED-RSH-002"
            )
        if "useractivitylog" not in listed(namespace, "LogExports"):
            what = "statements of users are not logged"
            yield Finding(
                f"{where}.LogExports",
                what,
                "LogExports: [userlog, connectionlog, useractivitylog]",
                "MED-RSH-003",
            )
    for stack, logical, workgroup in deployment.of_type("AWS::RedshiftServerless::Workgroup"):
        where = deployment.place(stack, logical)
        if workgroup.get("NamespaceName") not in (UNKNOWN, *names):
            what = f"is of the namespace {workgroup.get('NamespaceName')}, which no template makes"
            yield Finding(f"{where}.NamespaceName", what, "the Ref of the namespace", "MED-RSH-004")
        yield from _capacity(deployment, stack, logical, workgroup)
        yield from _settings(f"{where}.ConfigParameters", workgroup.get("ConfigParameters"))


def _capacity(
    deployment: Deployment, stack: str, logical: str, workgroup: dict[str, Any]
) -> Iterator[Finding]:
    least, most = workgroup.get("BaseCapacity"), workgroup.get("MaxCapacity")
    if least is None:
        where = deployment.place(stack, logical, "BaseCapacity")
        yield Finding(where, "is not set: Redshift takes 128 RPU", "BaseCapacity: 4", "MED-RSH-005")
    elif str(least).isdigit() and str(most).isdigit() and int(str(most)) < int(str(least)):
        where = deployment.place(stack, logical, "MaxCapacity")
        yield Finding(
            where, f"MaxCapacity {most} is below BaseCapacity {least}", f"at least {least}", "MED-RSH-005"
        )


def _settings(where: str, given: Any) -> Iterator[Finding]:
    known = {text(one, "ParameterKey"): text(one, "ParameterValue") for one in listed(given)}
    for name, value in known.items():
        if name not in (*SWITCHES, *LIMITS, *OTHERS):
            remedy = f"one of: {', '.join((*SWITCHES, *LIMITS, *OTHERS))}"
            yield Finding(f"{where}.{name}", "Redshift Serverless has no such setting", remedy, "MED-RSH-006")
        if name in SWITCHES and value.lower() not in ("true", "false"):
            yield Finding(
                f"{where}.{name}", f"{value!r} is neither true nor false", '"true" or "false"', "MED-RSH-006"
            )
        if name in LIMITS and not value.isdigit():
            yield Finding(f"{where}.{name}", f"{value!r} is no number", "a number, as a text", "MED-RSH-006")
    if known.get("require_ssl", "").lower() != "true":
        yield Finding(
            f"{where}.require_ssl", "connections without TLS are taken", "require_ssl: true", "MED-RSH-007"
        )
