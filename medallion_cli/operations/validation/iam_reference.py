"""AWS's Service Authorization Reference, as cfn-lint carries it: which actions there are, and on which resources each works."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
_OPERATORS = (
    "StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike",
    "StringNotLike", "NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals",
    "NumericGreaterThan", "NumericGreaterThanEquals", "DateEquals", "DateNotEquals", "DateLessThan",
    "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals", "Bool", "BinaryEquals", "IpAddress",
    "NotIpAddress", "ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike",
)  # fmt: skip
OPERATORS = frozenset(f"{base}{suffix}" for base in _OPERATORS for suffix in ("", "IfExists")) | {"Null"}
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
GLOBAL_KEYS = frozenset((
    "calledvia", "calledviafirst", "calledvialast", "currenttime", "ec2instancesourceprivateipv4",
    "ec2instancesourcevpc", "epochtime", "federatedprovider", "mfaauthpresent", "multifactorauthage",
    "multifactorauthpresent", "principalaccount", "principalarn", "principalisawsservice", "principalorgid",
    "principalorgpaths", "principalservicename", "principalservicenameslist", "principaltype", "referer",
    "requestedregion", "resourceaccount", "resourceorgid", "resourceorgpaths", "securetransport", "sourceaccount",
    "sourcearn", "sourceidentity", "sourceip", "sourceorgid", "sourceorgpaths", "sourcevpc", "sourcevpcarn",
    "sourcevpce", "tagkeys", "tokenissuetime", "useragent", "userid", "username", "viaawsservice", "vpceaccount",
    "vpceorgid", "vpceorgpaths", "vpcsourceip", "assumedroot", "chatbotsourcearn",
))  # fmt: skip
TAGGED_KEYS = ("principaltag/", "requesttag/", "resourcetag/")


@cache
def services() -> dict[str, Any]:
    """{service: {Actions: {action: {Resources}}, Resources: {resource: {ARNFormats}}}}, actions in lower case."""
    spec = find_spec("cfnlint")
    if spec is None or not spec.submodule_search_locations:
        return {}
    path = Path(spec.submodule_search_locations[0]) / "data" / "AdditionalSpecs" / "Policies.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def exists(action: str) -> bool:
    """Whether `service:Action` is one, in any case; a wildcard has to match something."""
    service, _, name = action.lower().partition(":")
    actions = services().get(service, {}).get("Actions", {})
    if "*" in name or "?" in name:
        return any(matches(name, known) for known in actions)
    return name in actions


def resource_patterns(action: str) -> tuple[str, ...]:
    """Regular expressions of the ARNs that an action works on; empty when it has no resource level."""
    service, _, name = action.lower().partition(":")
    known = services().get(service, {})
    kinds = known.get("Actions", {}).get(name, {}).get("Resources", ())
    formats = {
        kind.lower(): entry.get("ARNFormats", ()) for kind, entry in known.get("Resources", {}).items()
    }
    return tuple(_pattern(form) for kind in kinds for form in formats.get(kind.lower(), ()))


def _pattern(form: str) -> str:
    """`arn:${Partition}:s3:::.*`: what is `${…}` is any text without a colon, the rest is a pattern already."""
    return re.sub(r"(?<![.\]])\*", ".*", re.sub(r"\$\{\w+\}", "[^:]*", form))


def matches(pattern: str, value: str) -> bool:
    """IAM's wildcards: `*` is anything, `?` one character."""
    body = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern)
    return re.fullmatch(body, value) is not None


def is_condition_key(key: str) -> bool:
    """Whether a condition may ask for a key: a global one that AWS has, or one of a service there is."""
    service, colon, name = key.lower().partition(":")
    if service == "aws":
        return name in GLOBAL_KEYS or name.startswith(TAGGED_KEYS)
    return bool(colon) and (
        service in services() or service in ("saml", "oidc", "cognito-identity.amazonaws.com")
    )


def kinds(action: str) -> tuple[str, ...]:
    """Kinds of resources that an action works on, in lower case; empty when it has no resource level."""
    service, _, name = action.lower().partition(":")
    found = services().get(service, {}).get("Actions", {}).get(name, {}).get("Resources", ())
    return tuple(kind.lower() for kind in found)
