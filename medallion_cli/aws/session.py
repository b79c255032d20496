"""Everything that reaches one environment's AWS, and the one boundary where its errors become ours."""

from __future__ import annotations

import functools
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from medallion_cli.aws.errors import Asked, refused, unreached
from medallion_cli.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from medallion_cli.settings import Settings


STATES = ("describe_", "list_", "get_parameter", "get_schedule")  # what an asked-once target keeps


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
        self._lock = (
            threading.RLock()
        )  # the environment's lock is renewed by a thread; boto3.Session is not for two

    @functools.cached_property
    def _session(self) -> Any:
        import boto3
        from botocore.session import get_session

        from medallion_cli.aws.models import ModelFiles

        keys, core = self.credentials, get_session()
        core.get_component("data_loader").file_loader = ModelFiles()
        return boto3.Session(
            botocore_session=core,
            region_name=self.settings.region,
            profile_name=None if keys else self.settings.profile,
            aws_access_key_id=keys.access_key if keys else None,
            aws_secret_access_key=keys.secret_key if keys else None,
        )

    def client(self, service: str) -> Any:
        """A cached boto3 client whose calls raise AwsError."""
        with self._lock:
            if service not in self._clients:
                made = translated(self._new_client, Asked(service, "", self.settings))(service)
                self._clients[service] = _Translated(made, self.settings)
            return self._clients[service]

    def asked_once(self) -> Target:
        """The same, for one look: an answer counts for all who ask the same. Nothing can be awaited with it."""
        return _AskedOnce(self)

    def close(self) -> None:
        """Gives back the connections of all clients, which make new ones when they are used again."""
        for client in self._clients.values():
            client.close()

    def has_credentials(self) -> bool:
        """Whether any are configured, told without a network call: only on EC2 is its metadata service asked."""
        if self.credentials is not None:
            return True
        asked = Asked("sts", "GetCallerIdentity", self.settings)
        return translated(_configured, asked)(self.settings.profile) is not None

    def _new_client(self, service: str) -> Any:
        from botocore.config import Config

        # AWS throttles, and networks falter; a daemon of this machine that does not answer has ended.
        patience = {"mode": "adaptive", "max_attempts": 8}
        retries = patience if self.endpoint_url is None else {"mode": "standard", "max_attempts": 3}
        # A source function may work for minutes, and must not be invoked twice for a lost answer.
        config = Config(
            retries=retries,
            read_timeout=900 if service == "lambda" else 120,
            s3={"addressing_style": "path"},
        )
        if service == "lambda":
            config = config.merge(Config(retries={"max_attempts": 0}))
        return self._session.client(service, endpoint_url=self.endpoint_url, config=config)


def _configured(profile: str | None) -> Any:
    """The credentials botocore's chain finds; without its last link, the metadata service, where there is none."""
    from botocore.session import Session

    session = Session(profile=profile)
    chain = session.get_component("credential_provider")
    if not _on_ec2():
        chain.remove("iam-role")
    return chain.load_credentials()


def _on_ec2() -> bool:
    vendor = Path("/sys/class/dmi/id/sys_vendor")  # systemd tells EC2 the same way
    return vendor.exists() and "Amazon EC2" in vendor.read_text(errors="replace")


class _AskedOnce(Target):
    """A target whose clients keep what they were told, refusals too."""

    def __init__(self, target: Target) -> None:
        super().__init__(target.settings, target.endpoint_url, target.credentials)
        self._target = target
        self._answers: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """The target's own, asked once."""
        return _Remembered(self._target.client(service), service, self._answers)

    def close(self) -> None:
        """Of the target's clients."""
        self._target.close()


class _Remembered:
    """A client that asks each question about a state once; streams and pages are read as ever."""

    def __init__(self, client: Any, service: str, answers: dict[str, Any]) -> None:
        self._client = client
        self._service = service
        self._answers = answers

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        return functools.partial(self._once, name, found) if name.startswith(STATES) else found

    def _once(self, name: str, ask: Callable[..., Any], **given: Any) -> Any:
        key = f"{self._service}.{name} {sorted(given.items())}"
        if key not in self._answers:
            try:
                self._answers[key] = ask(**given)
            except AwsError as refusal:
                self._answers[key] = refusal
        if isinstance(answer := self._answers[key], AwsError):
            raise answer
        return answer


class _Translated:
    """A client with its errors translated."""

    def __init__(self, client: Any, settings: Settings) -> None:
        self._client = client
        self._settings = settings

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name == "get_paginator":
            return lambda operation: _TranslatedPages(found(operation), self._asked(operation))
        return translated(found, self._asked(name)) if callable(found) else found

    def _asked(self, name: str) -> Asked:
        meta = self._client.meta
        return Asked(
            meta.service_model.signing_name, meta.method_to_api_mapping.get(name, name), self._settings
        )


class _TranslatedPages:
    """A paginator whose pages are fetched with their errors translated."""

    def __init__(self, paginator: Any, asked: Asked) -> None:
        self._paginator = paginator
        self._asked = asked

    def paginate(self, **params: Any) -> Iterator[Any]:
        pages = iter(self._paginator.paginate(**params))
        step = translated(lambda: next(pages, None), self._asked)
        while (page := step()) is not None:
            yield page


def translated(call: Callable[..., Any], asked: Asked) -> Callable[..., Any]:
    """`call` with botocore's errors as AwsError: the service's code, its message, a hint where there is one."""

    @functools.wraps(call)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            return call(*args, **kwargs)
        except ClientError as error:
            raise refused(error, asked) from error
        except ResponseParserError as error:  # not a BotoCoreError: an answer that is no AWS answer
            said = str(error).splitlines()[0]
            raise AwsError("UnreadableAnswer", said, hint="medallion local status") from error
        except BotoCoreError as error:
            raise unreached(error, asked) from error

    return wrapper
