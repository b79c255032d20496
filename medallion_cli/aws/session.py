"""Everything that reaches one environment's AWS, and the one boundary where its errors become ours."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Protocol

from medallion_cli.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from medallion_cli.settings import Settings

# What an operator can do about an error, by AWS's own code.
HINTS = {
    "ExpiredToken": "refresh your credentials (aws sso login), then type the same command",
    "ExpiredTokenException": "refresh your credentials (aws sso login), then type the same command",
    "InvalidClientTokenId": "check --profile and your credentials",
    "UnrecognizedClientException": "check --profile and your credentials",
    "AccessDenied": "check --profile, or ask for the permission named",
    "AccessDeniedException": "check --profile, or ask for the permission named",
    "Throttling": "wait a little, then type the same command",
    "ThrottlingException": "wait a little, then type the same command",
}


class Keys(Protocol):
    """Static credentials."""

    @property
    def access_key(self) -> str: ...

    @property
    def secret_key(self) -> str: ...


class Target:
    """One environment: its settings, and clients that raise AwsError."""

    def __init__(
        self, settings: Settings, endpoint_url: str | None = None, credentials: Keys | None = None
    ) -> None:
        self.settings = settings
        self.endpoint_url = endpoint_url
        self.credentials = credentials
        self._clients: dict[str, Any] = {}

    @functools.cached_property
    def _session(self) -> Any:
        import boto3

        keys = self.credentials
        return boto3.Session(
            region_name=self.settings.region,
            profile_name=None if keys else self.settings.profile,
            aws_access_key_id=keys.access_key if keys else None,
            aws_secret_access_key=keys.secret_key if keys else None,
        )

    def client(self, service: str) -> Any:
        """A cached boto3 client whose calls raise AwsError."""
        if service not in self._clients:
            from botocore.config import Config

            retries = {"mode": "adaptive", "max_attempts": 8}
            # A source function may work for minutes, and must not be invoked twice for a lost answer.
            config = Config(
                retries=retries,
                read_timeout=900 if service == "lambda" else 120,
                s3={"addressing_style": "path"},
            )
            if service == "lambda":
                config = config.merge(Config(retries={"max_attempts": 0}))
            made = self._session.client(service, endpoint_url=self.endpoint_url, config=config)
            self._clients[service] = _Translated(made)
        return self._clients[service]


class _Translated:
    """A client with its errors translated."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name == "get_paginator":
            return lambda operation: _TranslatedPages(found(operation))
        return translated(found) if callable(found) else found


class _TranslatedPages:
    """A paginator whose pages are fetched with their errors translated."""

    def __init__(self, paginator: Any) -> None:
        self._paginator = paginator

    def paginate(self, **params: Any) -> Iterator[Any]:
        pages = iter(self._paginator.paginate(**params))
        step = translated(lambda: next(pages, None))
        while (page := step()) is not None:
            yield page


def translated(call: Callable[..., Any]) -> Callable[..., Any]:
    """`call` with botocore's errors as AwsError: the service's code, its message, a hint where there is one."""

    @functools.wraps(call)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            return call(*args, **kwargs)
        except ClientError as error:
            details = error.response.get("Error", {})
            code = details.get("Code", "Unknown")
            raise AwsError(code, details.get("Message", str(error)), hint=HINTS.get(code)) from error
        except ResponseParserError as error:  # not a BotoCoreError: an answer that is no AWS answer
            raise AwsError(
                "UnreadableAnswer", str(error).splitlines()[0], hint="medallion local status"
            ) from error
        except BotoCoreError as error:
            raise AwsError(
                type(error).__name__, str(error), hint=_unreachable(type(error).__name__)
            ) from error

    return wrapper


def _unreachable(name: str) -> str | None:
    if name in ("NoCredentialsError", "ProfileNotFound", "PartialCredentialsError"):
        return "configure credentials (aws configure), or name a profile with --profile"
    if name in (
        "EndpointConnectionError",
        "ConnectTimeoutError",
        "ReadTimeoutError",
        "ConnectionClosedError",
    ):
        return "medallion local status, then type the same command"
    return None
