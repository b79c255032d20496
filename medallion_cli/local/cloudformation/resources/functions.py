"""Lambda functions: code from S3, or inline (ZipFile is source text in CloudFormation, a zip in the API)."""

from __future__ import annotations

import io
import zipfile
from typing import Any, Final

from medallion_cli.local.cloudformation.resources.api import (
    arguments,
    changed,
    generated,
    recreated,
    tag_map,
    told,
    without,
)
from medallion_cli.local.cloudformation.resources.handler import Handler, Made, Properties, Request

_UNSENT: Final = frozenset(
    [
        "ReservedConcurrentExecutions",
        "RuntimeManagementConfig",
        "RecursiveLoop",
        "Architectures",
        "CodeSigningConfigArn",
        "PackageType",
        "Code",
        "Tags",
        "FunctionName",
    ]
)


def _name(request: Request) -> str:
    return str(request.physical_id or request.properties.get("FunctionName") or generated(request, 64))


def _code(request: Request) -> dict[str, Any]:
    code = dict(request.properties["Code"])
    if "ZipFile" in code:
        runtime = str(request.properties.get("Runtime", "python"))
        code["ZipFile"] = _zipped("index.py" if runtime.startswith("python") else "index.js", code["ZipFile"])
    return code


def _zipped(name: str, source: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, source)
    return buffer.getvalue()


def _create(request: Request) -> Made:
    given = without(request.properties, "Code", "Tags")
    params = arguments("lambda", "CreateFunction", given, unsent=_UNSENT)
    params |= {"FunctionName": _name(request), "Code": _code(request), "Tags": tag_map(request)}
    request.call("lambda", "CreateFunction", **params)
    return _made(request)


def _made(request: Request) -> Made:
    return Made(_name(request), {"Arn": request.arn("lambda", f"function:{_name(request)}")})


def _update(request: Request) -> Made:
    """Code and configuration are two calls; a changed S3 key or version is what brings new code."""
    new = changed(request)
    if "Code" in new:
        request.call("lambda", "UpdateFunctionCode", FunctionName=_name(request), **_code(request))
    params = arguments("lambda", "UpdateFunctionConfiguration", new, unsent=_UNSENT)
    if params:
        request.call("lambda", "UpdateFunctionConfiguration", **params | {"FunctionName": _name(request)})
    return _made(request)


def _delete(request: Request) -> None:
    request.call("lambda", "DeleteFunction", FunctionName=request.physical_id)


def _read(request: Request) -> Properties:
    found = request.call("lambda", "GetFunctionConfiguration", FunctionName=request.physical_id)
    return told(request.properties, found)


HANDLERS = {"AWS::Lambda::Function": Handler(_create, _update, _delete, _name, recreated(_create), _read)}
