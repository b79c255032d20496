"""Dynamic references, resolved only when a handler is called: no secret reaches a stored property."""

from __future__ import annotations

import json
import re
from typing import Any

from medallion_cli.local.cloudformation.faults import ResourceFailure
from medallion_cli.local.cloudformation.resources.handler import Cloud

_REFERENCE = re.compile(r"\{\{resolve:(secretsmanager|ssm|ssm-secure):(.+?)\}\}")
_SECRET = re.compile(r"(?P<id>arn:aws[\w-]*:secretsmanager:[^:]+:\d+:secret:[^:]+|[^:]+)(?::(?P<rest>.*))?")


def resolve_dynamic(value: Any, cloud: Cloud) -> Any:
    """A copy of `value` with every `{{resolve:…}}` replaced; raises when there is nothing to find."""
    match value:
        case str():
            return _REFERENCE.sub(lambda match: _resolve(match.group(1), match.group(2), cloud), value)
        case dict():
            return {name: resolve_dynamic(item, cloud) for name, item in value.items()}
        case list():
            return [resolve_dynamic(item, cloud) for item in value]
    return value


def _resolve(service: str, text: str, cloud: Cloud) -> str:
    if service == "secretsmanager":
        return _secret(text, cloud)
    name, _, version = text.partition(":")
    found = cloud.call(
        "ssm",
        "GetParameter",
        Name=f"{name}:{version}" if version else name,
        WithDecryption=service == "ssm-secure",
    )
    return str(found["Parameter"]["Value"])


def _secret(text: str, cloud: Cloud) -> str:
    """`id[:SecretString[:key[:stage[:version]]]]`; without a key, the whole string."""
    match = _SECRET.fullmatch(text)
    if match is None:
        raise ResourceFailure(f"Invalid dynamic reference {text}")
    _, key, stage, version = [*(match["rest"] or "").split(":"), "", "", "", ""][:4]
    params = {"SecretId": match["id"], "VersionStage": stage, "VersionId": version}
    found = cloud.call(
        "secretsmanager", "GetSecretValue", **{name: item for name, item in params.items() if item}
    )
    return _member(found["SecretString"], key) if key else str(found["SecretString"])


def _member(document: str, key: str) -> str:
    try:
        value = json.loads(document)[key]
    except (ValueError, KeyError, TypeError) as error:
        raise ResourceFailure(
            f"Could not find a value associated with JSONKey {key} in SecretString"
        ) from error
    return value if isinstance(value, str) else json.dumps(value)
