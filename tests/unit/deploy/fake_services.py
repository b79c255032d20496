"""AWS services with canned answers; what is asked and what is answered must be as botocore's models say."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.validate import validate_parameters

from medallion_cli.errors import AwsError
from medallion_cli.settings import Settings

Answer = dict[str, Any] | AwsError | Callable[..., dict[str, Any]]


class Services:
    """A target; `answers` by `service.method`. What has no answer may not be asked by this person."""

    def __init__(self, settings: Settings, answers: dict[str, Answer]) -> None:
        self.settings = settings
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def client(self, service: str) -> Any:
        return _Client(self, service)

    def call(self, service: str, method: str, given: dict[str, Any]) -> dict[str, Any]:
        operation = _operation(service, method)
        if operation.input_shape is not None:
            validate_parameters(given, operation.input_shape)
        self.asked.append((f"{service}.{method}", given))
        answer = self.answers.get(f"{service}.{method}")
        if answer is None:
            raise AwsError("AccessDenied", f"not allowed: {service}:{operation.name}")
        if isinstance(answer, AwsError):
            raise answer
        found = answer(**given) if callable(answer) else answer
        if operation.output_shape is not None:
            validate_parameters(found, operation.output_shape)
        return found


class _Client:
    def __init__(self, services: Services, service: str) -> None:
        self._services, self._service = services, service

    def get_paginator(self, method: str) -> Any:
        def paginate(**given: Any) -> Iterator[dict[str, Any]]:
            yield self._services.call(self._service, method, given)

        return SimpleNamespace(paginate=paginate)

    def __getattr__(self, method: str) -> Any:
        return lambda **given: self._services.call(self._service, method, given)


@functools.cache
def _operation(service: str, method: str) -> Any:
    model = _model(service)
    return next(model.operation_model(name) for name in model.operation_names if xform_name(name) == method)


@functools.cache
def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)
