"""The IAM policies of the person who deploys: what the templates' resource types need, and what the tool itself asks for.

CloudFormation acts as who calls it. Which actions a type needs is in its own schema (`handlers`), on which resources each
action works in the Service Authorization Reference; cfn-lint carries both. Kinds of resources that are not in SCOPES are of
features that the templates do not use: actions on them alone are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medallion_cli import INSTALL_LOCAL
from medallion_cli.errors import MedallionError
from medallion_cli.operations import own_calls
from medallion_cli.operations.deployer_scopes import (
    CONDITIONS,
    EVERYWHERE,
    FEATURES,
    IMPLIED,
    LINKED,
    SCOPES,
    TYPES_WITHOUT_SCHEMA,
)
from medallion_cli.operations.validation import iam_reference
from medallion_cli.operations.validation.documents import at

if TYPE_CHECKING:
    from medallion_cli.operations.validation.deployment import Deployment

LARGEST = 6144  # characters of a managed policy, white space left out
PASS, ATTACH = "iam:PassRole", ("iam:AttachRolePolicy", "iam:DetachRolePolicy")

Document = dict[str, Any]
Names = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Policy:
    """One managed policy; all of an environment's belong to one person or role."""

    name: str
    document: Document

    @property
    def text(self) -> str:
        """The document without white space, which counts in some of IAM's limits."""
        return json.dumps(self.document, separators=(",", ":"))


def policies(deployment: Deployment, account: str) -> list[Policy]:
    """The policies of who deploys an environment to `account` (its number, or * for any)."""
    asked = actions({name: stack.template for name, stack in deployment.stacks.items()})
    names = _names(deployment, account)
    statements = [*_scoped(asked, names), *_roles(deployment, asked, names)]
    return list(_packed(statements, str(deployment.settings.prefix)))


def actions(templates: dict[str, Document]) -> frozenset[str]:
    """Every action that is needed; those of features which no template uses are left out."""
    types = {str(r["Type"]) for t in templates.values() for r in t["Resources"].values()}
    used = {name for t in templates.values() for name in _properties(t["Resources"])}
    asked = {action for type_ in types for action in _of_type(type_, used)}
    return frozenset(
        a for a in asked | own_calls.actions() | set(IMPLIED) if iam_reference.exists(a) and _is_ours(a)
    )


def _of_type(type_: str, used: set[str]) -> Iterator[str]:
    """What CloudFormation asks for to create, read, change and delete a resource; what it sets only where it is set."""
    try:
        from cfnlint.schema import PROVIDER_SCHEMA_MANAGER as SCHEMAS
    except ImportError as error:
        raise MedallionError(
            "cfn-lint, which carries AWS's schemas, is not installed", hint=INSTALL_LOCAL
        ) from error
    yield from TYPES_WITHOUT_SCHEMA.get(type_, ())
    schema = SCHEMAS.get_resource_schema("us-east-1", type_).schema
    handlers = {name: h.get("permissions", ()) for name, h in schema.get("handlers", {}).items()}
    for always in ("read", "delete"):
        yield from handlers.get(always, ())
    for setting in ("create", "update"):
        yield from (action for action in handlers.get(setting, ()) if _is_used(action, used))
    tagging = schema.get("tagging")
    yield from tagging.get("permissions", ()) if isinstance(tagging, dict) else ()


def _properties(node: Any) -> Iterator[str]:
    match node:
        case dict():
            yield from map(str, node)
            for inner in node.values():
                yield from _properties(inner)
        case list():
            for inner in node:
                yield from _properties(inner)


def _is_used(action: str, properties: set[str]) -> bool:
    """False for an action of a feature that needs a property which no template sets."""
    needs = [name for pattern, name in FEATURES if re.fullmatch(pattern, action)]
    return not needs or any(name in properties for name in needs)


def _is_ours(action: str) -> bool:
    """Whether it works on a kind of resource that the templates make, or has no resource level."""
    service = action.partition(":")[0]
    if service not in SCOPES:
        return False
    return not iam_reference.kinds(action) or bool(_arns(action))


def _arns(action: str) -> tuple[str, ...]:
    """Forms of the ARNs that an action is allowed on; empty where AWS has no resource level."""
    scopes = SCOPES[action.partition(":")[0]]
    return tuple(dict.fromkeys(arn for kind in iam_reference.kinds(action) for arn in scopes.get(kind, ())))


def _scoped(asked: Iterable[str], names: Names) -> Iterator[Document]:
    """One statement for each service and condition; then, of what AWS can't narrow, one over everything."""
    groups: dict[tuple[str, str], list[str]] = {}
    everywhere = []
    for action in sorted(set(asked) - {PASS, *ATTACH, LINKED}):
        if not _arns(action):
            everywhere.append(action)
            continue
        condition = next(
            (name for name, (pattern, _) in CONDITIONS.items() if re.fullmatch(pattern, action)), ""
        )
        groups.setdefault((action.partition(":")[0], condition), []).append(action)
    for (_, condition), named in groups.items():
        yield _allowed(
            named,
            sorted({arn for a in named for form in _arns(a) for arn in _filled(form, names)}),
            condition,
            names,
        )
    yield {"Effect": "Allow", "Action": everywhere, "Resource": "*"}


def _allowed(named: list[str], arns: list[str], condition: str, names: Names) -> Document:
    statement = {"Effect": "Allow", "Action": named, "Resource": arns}
    if not condition:
        return statement
    (limits,) = _filled(json.dumps(CONDITIONS[condition][1]), names)
    return {**statement, "Condition": json.loads(limits)}


def _names(deployment: Deployment, account: str) -> Names:
    """What stands for `<…>` in SCOPES."""
    databases = [
        at(properties, "DatabaseInput", "Name")
        for _, _, properties in deployment.of_type("AWS::Glue::Database")
    ]
    secrets = [
        logical
        for _, logical, properties in deployment.of_type("AWS::SecretsManager::Secret")
        if "Name" not in properties
    ]
    prefix = str(deployment.settings.prefix)
    return {
        "prefix": (prefix,),
        "made": (f"{prefix}-"[:24],),
        "region": (deployment.settings.region,),
        "account": (account,),
        "database": tuple(map(str, databases)),
        "secret": tuple(secrets),
    }


def _filled(form: str, names: Names) -> tuple[str, ...]:
    """A form with its `<…>` filled in, once for each name."""
    made: tuple[str, ...] = (form,)
    for key in dict.fromkeys(re.findall(r"<(\w+)>", form)):
        made = tuple(one.replace(f"<{key}>", name) for one in made for name in names[key])
    return made


def _roles(deployment: Deployment, asked: Iterable[str], names: Names) -> Iterator[Document]:
    """Roles go to the services that they trust, carry AWS's policies that the templates name, and no other."""
    roles = [properties for _, _, properties in deployment.of_type("AWS::IAM::Role")]
    services = sorted({service for role in roles for service in _trusted(role)})
    managed = sorted({str(arn) for role in roles for arn in role.get("ManagedPolicyArns", ())})
    arns = [arn for form in SCOPES["iam"]["role"] for arn in _filled(form, names)]
    passed = {"StringEquals": {"iam:PassedToService": services}}
    yield {"Effect": "Allow", "Action": [PASS], "Resource": arns, "Condition": passed}
    if managed:
        named = {"ArnEquals": {"iam:PolicyARN": managed}}
        yield {"Effect": "Allow", "Action": list(ATTACH), "Resource": arns, "Condition": named}
    if LINKED in asked:
        linked = {"StringEquals": {"iam:AWSServiceName": sorted(IMPLIED[LINKED])}}
        (arn,) = _filled("arn:aws:iam::<account>:role/aws-service-role/*", names)
        yield {"Effect": "Allow", "Action": [LINKED], "Resource": [arn], "Condition": linked}


def _trusted(role: Document) -> list[str]:
    """Services in a role's trust policy."""
    return re.findall(r"[\w.-]+\.amazonaws\.com", json.dumps(role["AssumeRolePolicyDocument"]))


def _packed(statements: Iterable[Document], prefix: str) -> Iterator[Policy]:
    """As few policies as hold them in IAM's limit; a statement that is too long by itself is cut in two."""
    pages: list[list[Document]] = []
    for statement in _cut(sorted(statements, key=_size, reverse=True)):
        page = next((p for p in pages if _size(_document([*p, statement])) <= LARGEST), None)
        if page is None:
            pages.append([statement])
        else:
            page.append(statement)
    for number, page in enumerate(pages, 1):
        yield Policy(f"{prefix}-deployer-{number}", _document(page))


def _cut(statements: Iterable[Document]) -> Iterator[Document]:
    for statement in statements:
        if _size(_document([statement])) <= LARGEST:
            yield statement
        else:
            named = statement["Action"]
            halves = (named[: len(named) // 2], named[len(named) // 2 :])
            yield from _cut([{**statement, "Action": half} for half in halves])


def _document(statements: list[Document]) -> Document:
    return {"Version": "2012-10-17", "Statement": statements}


def _size(document: Document) -> int:
    return len(json.dumps(document, separators=(",", ":")))


def reason(action: str) -> str | None:
    """Why an action is allowed on everything; None when nobody has said it."""
    return next((why for pattern, why in EVERYWHERE if re.fullmatch(pattern, action)), None)
