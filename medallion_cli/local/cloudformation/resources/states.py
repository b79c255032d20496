"""Step Functions state machines: the definition as an object or text, with its ${substitutions} filled in."""

from __future__ import annotations

import json
import re
from typing import Any

from medallion_cli.local.cloudformation.faults import ResourceFailure
from medallion_cli.local.cloudformation.resources.api import (
    arguments,
    generated,
    recreated,
    told,
    without,
)
from medallion_cli.local.cloudformation.resources.handler import Handler, Made, Properties, Request

_DEFINITIONS = ("Definition", "DefinitionString", "DefinitionS3Location", "DefinitionSubstitutions")
_RENAMED = {"StateMachineName": "name", "StateMachineType": "type"}
_API = "stepfunctions"


def _name(request: Request) -> str:
    return str(request.properties.get("StateMachineName") or generated(request, 80))


def _arn(request: Request) -> str:
    return request.physical_id or request.arn("states", f"stateMachine:{_name(request)}")


def _definition(request: Request) -> str:
    """The ASL text; a ${name} that no substitution fills is an error, as it would be at run time."""
    given = request.properties
    if "DefinitionS3Location" in given:
        text = _stored(request, given["DefinitionS3Location"])
    else:
        text = given.get("DefinitionString") or json.dumps(given.get("Definition"))
    values = given.get("DefinitionSubstitutions", {})
    return re.sub(r"\$\{(\w+)\}", lambda match: _substitute(match, values), text)


def _substitute(match: re.Match[str], values: dict[str, Any]) -> str:
    if match[1] not in values:
        raise ResourceFailure(f"DefinitionSubstitutions has no value for ${{{match[1]}}}")
    value = values[match[1]]
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return json.dumps(text)[1:-1]


def _stored(request: Request, where: dict[str, Any]) -> str:
    body = request.call("s3", "GetObject", Bucket=where["Bucket"], Key=where["Key"])["Body"]
    data: Any = body.read() if hasattr(body, "read") else body
    return data.decode() if isinstance(data, bytes) else str(data)


def _create(request: Request) -> Made:
    given = without(request.properties, *_DEFINITIONS, "Tags")
    params = arguments(_API, "CreateStateMachine", given, renamed=_RENAMED)
    tags = [{"key": tag["Key"], "value": tag["Value"]} for tag in request.properties.get("Tags", [])]
    params |= {"name": _name(request), "definition": _definition(request), "tags": tags or None}
    request.call(_API, "CreateStateMachine", **params)
    return _made(request)


def _made(request: Request) -> Made:
    arn = _arn(request)
    name = arn.rsplit(":", 1)[-1]
    return Made(arn, {"Arn": arn, "Name": name, "StateMachineRevisionId": "INITIAL"})


def _update(request: Request) -> Made:
    given = without(request.properties, *_DEFINITIONS, "Tags", "StateMachineName", "StateMachineType")
    params = arguments(_API, "UpdateStateMachine", given)
    params |= {"stateMachineArn": _arn(request), "definition": _definition(request)}
    request.call(_API, "UpdateStateMachine", **params)
    return _made(request)


def _delete(request: Request) -> None:
    request.call(_API, "DeleteStateMachine", stateMachineArn=request.physical_id)


def _read(request: Request) -> Properties:
    """The definition as the template has it when the live one is what its substitutions make of it."""
    found = request.call(_API, "DescribeStateMachine", stateMachineArn=request.physical_id)
    live = told(request.properties, found, renamed=_RENAMED)
    if "DefinitionString" in request.properties:
        same = json.loads(found["definition"]) == json.loads(_definition(request))
        live["DefinitionString"] = request.properties["DefinitionString"] if same else found["definition"]
    return live


HANDLERS = {
    "AWS::StepFunctions::StateMachine": Handler(_create, _update, _delete, _arn, recreated(_create), _read)
}
