"""AWS's wire protocols, driven by botocore's service models: requests in, validated parameters to a method, results out."""

from __future__ import annotations

import re
import uuid
from functools import lru_cache
from typing import Any

NOT_HERE = "the embedded AWS has no {operation} of {service}"


class ServiceError(Exception):
    """An error in a service's own words; `code` as AWS names it."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


class Service:
    """One AWS API: an operation is a method with its snake_case name, from a dict of parameters to a dict of results."""

    name: str = ""

    def start(self) -> None:
        """Called once every service exists: goes on with what was wanted before."""

    def stop(self) -> None:
        """Ends threads and engines; the state stays."""


@lru_cache
def service_model(name: str) -> Any:
    """botocore's model of a service, with what moto's parsers and serialisers add to its shapes."""
    from moto.core.utils import get_service_model

    return get_service_model(name)


@lru_cache
def _targets() -> dict[str, str]:
    """X-Amz-Target prefix → service."""
    return {str(service_model(name).metadata.get("targetPrefix")): name for name in JSON_SERVICES}


JSON_SERVICES = (
    "dms",
    "glue",
    "redshift-data",
    "redshift-serverless",
    "stepfunctions",
    "secretsmanager",
    "ssm",
    "logs",
    "kms",
)
# where a signature names a service otherwise than its client does
SIGNING_NAMES = {"states": "stepfunctions", "servicequotas": "service-quotas", "monitoring": "cloudwatch"}


def service_of(headers: Any) -> str | None:
    """The service that a request is for: by its JSON target, else by the scope it was signed for."""
    target = _targets().get(headers.get("X-Amz-Target", "").rpartition(".")[0])
    if target is not None:
        return target
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", headers.get("Authorization", ""))
    name = scope.group(1) if scope else "s3"
    return SIGNING_NAMES.get(name, name)


def invoke(
    services: dict[str, Service], service: str, operation: str, params: dict[str, Any]
) -> dict[str, Any]:
    """Validates and calls one operation."""
    found = services.get(service)
    if found is None:
        raise ServiceError("UnknownService", f"the embedded AWS has no {service}", 501)
    model = service_model(service)
    if operation not in model.operation_names:
        raise ServiceError("InvalidAction", f"{service} has no operation {operation}", 400)
    method = getattr(found, _snake(operation), None)
    if method is None:
        raise ServiceError("NotImplemented", NOT_HERE.format(operation=operation, service=service), 501)
    shape = model.operation_model(operation).input_shape
    if shape is not None:
        _validate(shape, params)
    result: dict[str, Any] = method(params) or {}
    return result


@lru_cache
def _snake(operation: str) -> str:
    from botocore import xform_name

    return str(xform_name(operation))


def _validate(shape: Any, params: dict[str, Any]) -> None:
    from botocore.validate import ParamValidator

    report = ParamValidator().validate(params, shape)
    if report.has_errors():
        raise ServiceError("ValidationException", report.generate_report().replace("\n", "; "))
    if wrong := _enum_fault(shape, params, ""):
        raise ServiceError("ValidationException", wrong)


def _enum_fault(shape: Any, value: Any, path: str) -> str | None:
    """The first value outside its enum (botocore itself does not look)."""
    if value is None:
        return None
    match shape.type_name:
        case "structure":
            members = ((name, member, value[name]) for name, member in shape.members.items() if name in value)
            return next((f for n, m, v in members if (f := _enum_fault(m, v, f"{path}.{n}"))), None)
        case "list":
            return next((f for v in value if (f := _enum_fault(shape.member, v, f"{path}[]"))), None)
        case "string":
            choices = getattr(shape, "enum", None)
            if choices and value not in choices:
                return f"Value '{value}' at '{path.lstrip('.')}' failed to satisfy enum value set: {choices}"
    return None


def parse(service: str, request: Any) -> tuple[str, dict[str, Any]]:
    """(operation, parameters) of an HTTP request (werkzeug's)."""
    from moto.core.parse import PROTOCOL_PARSERS

    model = service_model(service)
    protocol = str(model.resolved_protocol)
    body = request.get_data()
    values: Any = {}
    url_params: dict[str, str] = {}
    if protocol == "json":
        operation = request.headers["X-Amz-Target"].rpartition(".")[2]
    elif protocol in ("query", "ec2"):
        values = request.form
        operation = values.get("Action", request.args.get("Action", ""))
    else:
        operation, url_params = _route(service, request.method, request.path)
    if operation not in model.operation_names:
        raise ServiceError("InvalidAction", f"{service} has no operation {operation!r}", 400)
    parser = PROTOCOL_PARSERS[protocol](model.operation_model(operation), map_type=dict)
    parsed = parser.parse(
        {
            "body": body,
            "headers": request.headers,
            "method": request.method,
            "url_params": url_params,
            "url_path": request.path,
            "values": values if protocol in ("query", "ec2") else request.args,
        }
    )
    return operation, dict(parsed)


@lru_cache
def _routes(service: str) -> list[tuple[str, re.Pattern[str], str]]:
    """(method, path pattern, operation), longest path first."""
    model = service_model(service)
    found = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        uri = http["requestUri"].partition("?")[0].rstrip("/") or "/"
        pattern = re.sub(r"\\\{(\w+)\\\+\\\}", r"(?P<\1>.+)", re.escape(uri))
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", pattern)
        found.append((len(uri), http["method"], re.compile(pattern + "/?"), name))
    return [(method, pattern, name) for _, method, pattern, name in sorted(found, key=lambda f: -f[0])]


def _route(service: str, method: str, path: str) -> tuple[str, dict[str, str]]:
    from urllib.parse import unquote

    for verb, pattern, operation in _routes(service):
        if verb == method and (match := pattern.fullmatch(path)):
            return operation, {key: unquote(value) for key, value in match.groupdict().items()}
    raise ServiceError("UnknownOperation", f"{service} has no {method} {path}", 404)


def serialise(
    service: str, operation: str, result: dict[str, Any] | ServiceError
) -> tuple[int, dict[str, str], Any]:
    """(status, headers, body) for a result or an error, in the service's protocol."""
    from moto.core.serialize import SerializationContext, get_serializer_class

    model = service_model(service)
    if isinstance(result, ServiceError):
        return _error(model, result)
    picked = get_serializer_class(service, str(model.resolved_protocol))
    serializer = picked(model.operation_model(operation), SerializationContext(uuid.uuid4().hex))
    response = serializer.serialize(result)
    return response["status_code"], dict(response["headers"]), response["body"]


def absent(service: str) -> tuple[int, dict[str, str], Any]:
    """The answer of a service that is not here, in its own protocol: 501 NotImplemented, which nobody retries."""
    from botocore.exceptions import DataNotFoundError, UnknownServiceError

    message = f"{service} is not available locally: the embedded AWS has no {service}"
    error = ServiceError("NotImplemented", message, 501)
    try:
        return _error(service_model(service), error)
    except (DataNotFoundError, UnknownServiceError):
        return 501, {"Content-Type": "text/plain"}, message


def _error(model: Any, error: ServiceError) -> tuple[int, dict[str, str], str]:
    import json
    from xml.sax.saxutils import escape

    if str(model.resolved_protocol) not in ("query", "ec2", "rest-xml"):
        body = json.dumps({"__type": error.code, "message": error.message, "Message": error.message})
        kind = "application/x-amz-json-1.1" if model.resolved_protocol == "json" else "application/json"
        return error.status, {"Content-Type": kind, "x-amzn-ErrorType": error.code}, body
    if model.resolved_protocol == "ec2":
        inner = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
        xml = f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>{uuid.uuid4()}</RequestID></Response>"
        return error.status, {"Content-Type": "text/xml"}, xml
    xml = (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{escape(error.code)}</Code>"
        f"<Message>{escape(error.message)}</Message></Error><RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
    )
    return error.status, {"Content-Type": "text/xml"}, xml
