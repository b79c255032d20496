"""What must be there before an `up` on AWS: looked at in a minute rather than met after twenty.

Each check asks the service it is about. What this person may not see is told as such and stops nobody: whoever may create a
resource need not be allowed to list it. Only what is sure to fail stops.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING

from medallion_cli import DISTRIBUTION
from medallion_cli.errors import AwsError
from medallion_cli.operations.deployment.capacity import free_names, offered, quotas, value
from medallion_cli.operations.deployment.findings import Finding
from medallion_cli.operations.stack_parameters import ACCOUNT_ROLES

if TYPE_CHECKING:
    from medallion_cli.operations.deployment.change_sets import Deployment
    from medallion_cli.settings import Settings

SERVICES = (
    "cloudformation",
    "rds",
    "dms",
    "glue",
    "redshift-serverless",
    "redshift-data",
    "lambda",
    "stepfunctions",
    "scheduler",
)
Check = Callable[["Deployment", str], Iterator[Finding]]


def preflight(deployment: Deployment) -> list[Finding]:
    """Every check, in order; nothing more once the account itself can't be reached."""
    findings: list[Finding] = []
    for code, (title, check) in CHECKS.items():
        try:
            findings += check(deployment, code)
        except AwsError as error:
            if code == ACCOUNT:
                return [Finding(code, "stop", f"{title}: {error}", error.hint or "")]
            findings.append(Finding(code, "unseen", f"{title}: {error}", error.hint or ""))
    return findings


def unseen(settings: Settings) -> list[Finding]:
    """What is not seen without credentials: which stacks there are, and every check of an account."""
    how = f"aws sso login --profile {settings.profile}" if settings.profile else "aws configure"
    first = Finding(
        "MED-UP-00", "unseen", "no credentials: not seen which stacks exist", f"{how}, then: medallion plan"
    )
    rest = [
        Finding(code, "unseen", f"not seen: {title}")
        for code, (title, _) in CHECKS.items()
        if code != MACHINE
    ]
    return [first, *rest, *machine(MACHINE)]


def account(deployment: Deployment, code: str) -> Iterator[Finding]:
    """Who is asking, and where."""
    found = deployment.target.client("sts").get_caller_identity()
    yield Finding(
        code, "note", f"account {found['Account']}, {deployment.settings.region}, as {found['Arn']}"
    )


def region(deployment: Deployment, code: str) -> Iterator[Finding]:
    """Whether the region is switched on, and has the services."""
    name = deployment.settings.region
    if absent := [service for service, regions in _regions().items() if regions and name not in regions]:
        yield Finding(
            code, "warn", f"{name} is not known to have {', '.join(absent)}", "set another `region`"
        )
    found = deployment.target.client("ec2").describe_regions(RegionNames=[name], AllRegions=True)["Regions"]
    if any(entry.get("OptInStatus") == "not-opted-in" for entry in found):
        yield Finding(
            code, "stop", f"{name} is switched off in this account", "switch it on (AWS console, Account)"
        )


@cache
def _regions() -> dict[str, list[str]]:
    """Where each service is known to be, as botocore was shipped."""
    import boto3

    session = boto3.Session()
    return {service: session.get_available_regions(service) for service in SERVICES}


def foreign_stacks(deployment: Deployment, code: str) -> Iterator[Finding]:
    """Stacks of our names that are not ours, and names outside the stacks that are taken."""
    prefix = str(deployment.settings.prefix)
    for stack in deployment.order:
        known = deployment.stacks.find(deployment.name(stack))
        if known is not None and known.tags.get("medallion:environment", prefix) != prefix:
            yield Finding(
                code, "stop", f"the stack {known.name} is another project's", "set another `prefix`"
            )
        elif known is not None and known.busy:
            yield Finding(code, "note", f"{known.name} is {known.status}: up waits for it")
    yield from free_names(deployment, code)


def account_roles(deployment: Deployment, code: str) -> Iterator[Finding]:
    """DMS wants two roles of fixed names, once an account (aws-docs: DMS security-iam)."""
    for role in ACCOUNT_ROLES.values():
        try:
            found = deployment.target.client("iam").get_role(RoleName=role)["Role"]
        except AwsError as error:
            if not error.code.startswith("NoSuchEntity"):
                raise
            yield Finding(
                code, "note", f"the account has no {role}: the replication stack makes it, and leaves it"
            )
            continue
        if "dms.amazonaws.com" not in str(found.get("AssumeRolePolicyDocument", "dms.amazonaws.com")):
            remedy = f"let dms.amazonaws.com assume {role}"
            yield Finding(code, "stop", f"{role} does not trust dms.amazonaws.com", remedy)


def quicksight(deployment: Deployment, code: str) -> Iterator[Finding]:
    """The dashboard is made for a QuickSight user; without one there is none."""
    principal = value(deployment, "visualization", "QuickSightPrincipalArn")
    if not principal:
        yield Finding(
            code, "note", "no QuickSight dashboard", "set parameters.QuickSightPrincipalArn for one"
        )
        return
    number = deployment.target.client("sts").get_caller_identity()["Account"]
    try:
        found = deployment.target.client("quicksight").describe_account_subscription(AwsAccountId=number)
    except AwsError as error:
        if error.code != "ResourceNotFoundException":
            raise
        found = {}
    state = found.get("AccountInfo", {}).get("AccountSubscriptionStatus", "not subscribed")
    if state != "ACCOUNT_CREATED":
        yield Finding(
            code, "stop", f"QuickSight: {state}", "subscribe in the console, or clear QuickSightPrincipalArn"
        )


def machine(code: str) -> Iterator[Finding]:
    """This Python, and the libraries at the versions this release pins."""
    version = ".".join(map(str, sys.version_info[:3]))
    if not (3, 11) <= sys.version_info[:2] < (3, 13):
        yield Finding(code, "warn", f"Python {version} is not tried", "use 3.11 or 3.12")
    for name, wanted in _pinned():
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        if found != wanted:
            yield Finding(code, "warn", f"{name} is {found}", f"pip install {name}=={wanted}")


def _pinned() -> Iterator[tuple[str, str]]:
    """(name, version) of what must be exactly that, the local engines' libraries among them."""
    try:
        required = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:  # run from its source, not installed
        required = []
    for line in required:
        name, _, version = line.partition(";")[0].strip().partition("==")
        if version:
            yield name.partition("[")[0], version


ACCOUNT, MACHINE = "MED-UP-01", "MED-UP-08"
CHECKS: dict[str, tuple[str, Check]] = {
    ACCOUNT: ("account and credentials", account),
    "MED-UP-02": ("region", region),
    "MED-UP-03": ("names that are taken", foreign_stacks),
    "MED-UP-04": ("quotas", quotas),
    "MED-UP-05": ("the account's DMS roles", account_roles),
    "MED-UP-06": ("QuickSight subscription", quicksight),
    "MED-UP-07": ("classes and versions offered", offered),
    MACHINE: ("this machine", lambda _, code: machine(code)),
}
