"""A linter of every IAM document in a template: what does not exist, cannot work, or allows more than anything here needs.

Unknown actions, actions without their resource, `*` where AWS has a resource level, roles that could widen their own rights.
The actions and their resources are AWS's Service Authorization Reference; what is taken as it is stands in accepted.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation import iam_reference
from medallion_cli.operations.validation.accepted import EVERYWHERE, MANAGED
from medallion_cli.operations.validation.documents import Document, dotted, mapping
from medallion_cli.operations.validation.iam_escalation import escalations
from medallion_cli.operations.validation.iam_values import ANY, branches, patterns

Path = tuple[str | int, ...]
NAMED_BY_AWS = ("dms-vpc-role", "dms-cloudwatch-logs-role")  # the account's roles of DMS
NAMELESS = (
    "kms:PutKeyPolicy",
    "kms:CreateGrant",
)  # a key's ARN is made up by AWS; its own policy says who may
# Services that say on whose behalf they take a role (the confused deputy problem, IAM's guide)
DEPUTIES = frozenset(
    f"{name}.amazonaws.com"
    for name in ("dms", "glue", "monitoring.rds", "scheduler", "states", "vpc-flow-logs")
)
KINDS = {"AssumeRolePolicyDocument": "trust", "KeyPolicy": "resource"}


@dataclass(frozen=True)
class Policy:
    """One document and where it stands; of an identity (what it may), of trust (who may take it), or of a resource."""

    stack: str
    path: Path
    kind: str
    document: Document
    template: Document = field(default_factory=dict)
    prefix: str = (
        ""  # of who deploys: what changes rights may be allowed on what is called so, or under a condition
    )
    everywhere: tuple[str, ...] = tuple(EVERYWHERE)  # patterns of actions that may be on "*"

    def finding(self, number: int, key: str, what: str, remedy: str, code: str) -> Finding:
        """One about a part of a statement."""
        path = (*self.path, "Statement", number, *([key] if key else []))
        return Finding(f"infra_templates/{self.stack}.yaml {dotted(path)}", what, remedy, f"MED-IAM-{code}")


def findings(stack: str, template: Document) -> Iterator[Finding]:
    """Findings in all policies of one template, resolved or not; none without cfn-lint, whose reference they stand on."""
    if not iam_reference.services():
        return
    for logical, resource in mapping(template, "Resources").items():
        properties = mapping(resource, "Properties")
        kind = str(mapping(resource).get("Type", ""))
        for policy in _policies(stack, ("Resources", logical, "Properties"), kind, properties, template):
            yield from policy_findings(policy)
        yield from _attached(stack, logical, properties)


def policy_findings(policy: Policy) -> Iterator[Finding]:
    """Findings in one document."""
    if policy.document.get("Version") != "2012-10-17":
        where = f"infra_templates/{policy.stack}.yaml {dotted((*policy.path, 'Version'))}"
        yield Finding(where, "is not the current language", 'Version: "2012-10-17"', "MED-IAM-001")
    sids = [s.get("Sid") for s in _statements(policy) if s.get("Sid")]
    for number, statement in enumerate(_statements(policy)):
        if sids.count(statement.get("Sid")) > 1:
            yield policy.finding(number, "Sid", f"{statement['Sid']} is there twice", "another Sid", "002")
        yield from statement_findings(policy, number, statement)
        if policy.kind == "resource":
            yield from _locked_out(policy, number, statement)


def statement_findings(policy: Policy, number: int, statement: Document) -> Iterator[Finding]:
    """Findings in one statement; a Deny cannot allow too much, but has to exist."""
    yield from _shape(policy, number, statement)
    yield from _actions(policy, number, statement)
    yield from _conditions(policy, number, statement)
    if statement.get("Effect") != "Allow":
        return
    yield from _principals(policy, number, statement)
    if policy.kind == "identity":
        yield from _resources(policy, number, statement)
        for right, what, remedy in escalations(
            statement, patterns(statement.get("Resource"), policy.template)
        ):
            if not _confined(policy, statement, right):
                yield policy.finding(number, "Action", what, remedy, "020")


def _confined(policy: Policy, statement: Document, right: str) -> bool:
    """Whether a deployer's right ends at the environment: by name, or by a condition where what it acts on has no name."""
    if not policy.prefix or right == "iam:PassRole":
        return False
    kinds = iam_reference.resource_patterns(right)
    given = [
        one
        for one in patterns(statement.get("Resource"), policy.template)
        if any(_overlap(k, one) for k in kinds)
    ]
    return (
        all(policy.prefix in one or one.rpartition("/")[2] in NAMED_BY_AWS for one in given)
        or right in NAMELESS
    )


def _policies(stack: str, path: Path, kind: str, value: Any, template: Document) -> Iterator[Policy]:
    """Every mapping with statements, wherever it stands."""
    match value:
        case dict() if "Statement" in value:
            key = next((str(part) for part in reversed(path) if not isinstance(part, int)), "")
            role = KINDS.get(key) or ("identity" if kind.startswith("AWS::IAM::") else "resource")
            yield Policy(stack, path, role, value, template)
        case dict():
            for key, inner in value.items():
                yield from _policies(stack, (*path, key), kind, inner, template)
        case list():
            for number, inner in enumerate(value):
                yield from _policies(stack, (*path, number), kind, inner, template)


def _statements(policy: Policy) -> list[Document]:
    return [one for one in branches(policy.document.get("Statement")) if isinstance(one, dict)]


def _texts(value: Any) -> list[str]:
    return [one for one in branches(value) if isinstance(one, str)]


def _shape(policy: Policy, number: int, statement: Document) -> Iterator[Finding]:
    if statement.get("Effect") not in ("Allow", "Deny"):
        yield policy.finding(
            number, "Effect", f"{statement.get('Effect')!r} is neither", "Allow or Deny", "003"
        )
    for key in ("NotAction", "NotResource", "NotPrincipal"):
        if key in statement and statement.get("Effect") == "Allow":
            what = "allows everything but what it names, and what AWS will add"
            yield policy.finding(number, key, what, f"{key.removeprefix('Not')} with what is needed", "004")


def _locked_out(policy: Policy, number: int, statement: Document) -> Iterator[Finding]:
    everybody = statement.get("Principal") in ("*", {"AWS": "*"})
    if statement.get("Effect") == "Deny" and everybody and not mapping(statement, "Condition"):
        what = "locks everybody out, whom nothing can let in again"
        yield policy.finding(number, "Condition", what, "the condition under which it denies", "034")


def _actions(policy: Policy, number: int, statement: Document) -> Iterator[Finding]:
    wide = statement.get("Effect") == "Allow" and policy.kind == "identity"
    for action in _texts(statement.get("Action")):
        if action != "*" and not iam_reference.exists(action):
            yield policy.finding(
                number, "Action", f"there is no action {action}", "an action that AWS has", "010"
            )
        elif "*" in action and wide:
            yield policy.finding(
                number, "Action", f"{action} allows actions that nothing here calls", "name them", "011"
            )
    if policy.kind == "trust":
        for action in _texts(statement.get("Action")):
            if action not in ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"):
                what = f"{action} is nothing that takes a role here"
                yield policy.finding(number, "Action", what, "sts:AssumeRole", "012")


def _resources(policy: Policy, number: int, statement: Document) -> Iterator[Finding]:
    """Each action has a resource that it works on, each resource an action; `*` only by the list of reasons."""
    given = patterns(statement.get("Resource"), policy.template)
    actions = [a for a in _texts(statement.get("Action")) if "*" not in a and iam_reference.exists(a)]
    if "*" in given:
        yield from _everywhere(policy, number, actions)
        return
    used = set[str]()
    for action in actions:
        kinds = iam_reference.resource_patterns(action)
        fits = {one for one in given if one is ANY or any(_overlap(kind, one) for kind in kinds)}
        used |= fits
        if given and not kinds:
            what = f"{action} has no resource level: on these it is never allowed"
            yield policy.finding(number, "Resource", what, 'a statement of its own with Resource: "*"', "013")
        elif given and not fits:
            what = f"{action} works on none of these"
            yield policy.finding(number, "Resource", what, f"an ARN like {_shown(kinds[0])}", "014")
    for one in given:
        if actions and one not in used and any(iam_reference.resource_patterns(a) for a in actions):
            yield policy.finding(number, "Resource", f"no action here works on {one}", "take it out", "015")
    yield from _wide(policy, number, given)


def _everywhere(policy: Policy, number: int, actions: list[str]) -> Iterator[Finding]:
    for action in actions:
        if not any(re.fullmatch(pattern, action) for pattern in policy.everywhere):
            kinds = iam_reference.resource_patterns(action)
            remedy = (
                f"an ARN like {_shown(kinds[0])}"
                if kinds
                else "a reason in operations/validation/accepted.py"
            )
            yield policy.finding(number, "Resource", f"{action} is allowed on everything", remedy, "016")


def _wide(policy: Policy, number: int, given: list[str]) -> Iterator[Finding]:
    """`arn:aws:s3:::*` is everything under another name."""
    for one in given:
        parts = one.split(":", 5)
        if one is not ANY and (len(parts) < 6 or parts[2] == "*" or parts[5] in ("*", "*/*")):
            yield policy.finding(
                number, "Resource", f"{one} is everything", "the ARN of what is needed", "017"
            )


def _overlap(kind: str, given: str) -> bool:
    """Whether an ARN with wildcards can be of a kind; a wildcard stands for a text that fits anywhere."""
    if re.fullmatch(kind, given):
        return True
    kind_parts, parts = kind.split(":", 5), given.split(":", 5)
    if len(parts) < 6 or len(kind_parts) < 6 or parts[2] != kind_parts[2]:
        return False
    head = re.match(r"[\w/-]*", kind_parts[5])
    name = head[0] if head else ""
    return parts[5].startswith(name) or ("*" in parts[5] and name.startswith(parts[5].split("*")[0]))


def _shown(kind: str) -> str:
    return kind.replace("[^:]*", "…").replace(".*", "<name>")


def _conditions(policy: Policy, number: int, statement: Document) -> Iterator[Finding]:
    if "Condition" in statement and not mapping(statement, "Condition"):
        what = "is empty: the statement holds for everything"
        yield policy.finding(number, "Condition", what, "a condition, or none", "021")
    for operator, asked in mapping(statement, "Condition").items():
        if not mapping(asked):
            what = f"{operator} asks for nothing: the statement holds for everything"
            yield policy.finding(number, "Condition", what, "a key and its value", "021")
        plain = str(operator).removeprefix("ForAllValues:").removeprefix("ForAnyValue:")
        if plain not in iam_reference.OPERATORS:
            yield policy.finding(
                number, "Condition", f"there is no operator {operator}", "an operator that IAM has", "018"
            )
        for key in mapping(asked):
            if not iam_reference.is_condition_key(str(key)):
                what = f"there is no key {key}: the condition is never met"
                yield policy.finding(number, "Condition", what, "a key that IAM has", "019")


def _principals(policy: Policy, number: int, statement: Document) -> Iterator[Finding]:
    """Nobody in general; of this account only services and, for a key, the account itself."""
    principal = statement.get("Principal")
    if policy.kind == "identity":
        return
    named = mapping(principal)
    everybody = principal == "*" or any(
        "*" in _texts(named.get(kind)) for kind in ("AWS", "Service", "Federated")
    )
    if everybody and not _bounded(statement):
        what = "lets in everybody" if policy.kind == "resource" else "may be taken by everybody"
        yield policy.finding(number, "Principal", what, "name the service or role", "030")
    for one in patterns(named.get("AWS"), policy.template):
        if re.fullmatch(r"(arn:[^:]*:iam::)?\d{12}(:.*)?", one) and "111122223333" not in one:
            yield policy.finding(number, "Principal", f"{one} is another account", "this account's", "031")
    if policy.kind == "trust" and not _bounded(statement) and not _of_the_account(policy):
        for service in sorted(set(_texts(named.get("Service"))) & DEPUTIES):
            what = f"{service} could be sent by another account to take this role"
            remedy = 'Condition: {StringEquals: {"aws:SourceAccount": !Ref AWS::AccountId}}'
            yield policy.finding(number, "Condition", what, remedy, "033")
    for service in _texts(named.get("Service")):
        if not re.fullmatch(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?", service):
            what = f"{service} is no service"
            yield policy.finding(number, "Principal", what, "<service>.amazonaws.com", "032")


def _of_the_account(policy: Policy) -> bool:
    """DMS's own two roles are the account's, and are looked for by name."""
    role = mapping(policy.template, *policy.path[:-1])
    return role.get("RoleName") in NAMED_BY_AWS


def _bounded(statement: Document) -> bool:
    keys = {str(key).lower() for asked in mapping(statement, "Condition").values() for key in mapping(asked)}
    return bool(
        keys
        & {
            "aws:sourceaccount",
            "aws:sourcearn",
            "aws:principalaccount",
            "aws:principalorgid",
            "kms:calleraccount",
        }
    )


def _attached(stack: str, logical: str, properties: Document) -> Iterator[Finding]:
    for number, value in enumerate(branches(properties.get("ManagedPolicyArns"))):
        for one in patterns(value, {}):
            name = one.rpartition("/")[2]
            if one is not ANY and ":aws:policy/" in one and name not in MANAGED:
                where = (
                    f"infra_templates/{stack}.yaml Resources.{logical}.Properties.ManagedPolicyArns[{number}]"
                )
                remedy = "a policy of its own, or a reason in operations/validation/accepted.py"
                yield Finding(where, f"{name} allows more than is needed", remedy, "MED-IAM-040")
