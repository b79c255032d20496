"""No error of botocore's passes the boundary: each becomes AwsError, with AWS's code and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import botocore.exceptions as errors
import pytest
from botocore.parsers import ResponseParserError

from medallion_cli.aws.session import Target, _Translated, translated
from medallion_cli.errors import AwsError
from medallion_cli.settings import Settings


def raising(error: Exception) -> Any:
    def call() -> None:
        raise error

    return call


def refused(code: str) -> errors.ClientError:
    return errors.ClientError({"Error": {"Code": code, "Message": "said so"}}, "DescribeStacks")


@pytest.mark.parametrize(
    ("error", "code", "hint"),
    [
        (refused("AccessDenied"), "AccessDenied", "permission"),
        (refused("ExpiredToken"), "ExpiredToken", "aws sso login"),
        (refused("NoSuchBucket"), "NoSuchBucket", None),
        (errors.EndpointConnectionError(endpoint_url="http://x"), "EndpointConnectionError", "local status"),
        (errors.NoCredentialsError(), "NoCredentialsError", "aws configure"),
        (errors.ParamValidationError(report="wrong"), "ParamValidationError", None),
        (ResponseParserError("no XML"), "UnreadableAnswer", "local status"),
    ],
)
def test_an_error_becomes_ours(error: Exception, code: str, hint: str | None) -> None:
    with pytest.raises(AwsError) as raised:
        translated(raising(error))()
    assert raised.value.code == code
    assert (hint in str(raised.value.hint)) if hint else raised.value.hint is None


def test_a_bug_is_not_translated() -> None:
    with pytest.raises(KeyError):
        translated(raising(KeyError("x")))()


def test_a_page_that_fails_is_translated_too() -> None:
    class Client:
        def get_paginator(self, _: str) -> Client:
            return self

        def paginate(self, **_: Any) -> Iterator[int]:
            yield 1
            raise refused("ThrottlingException")

    pages = _Translated(Client()).get_paginator("list").paginate()
    assert next(pages) == 1
    with pytest.raises(AwsError, match="ThrottlingException"):
        next(pages)


def test_a_function_is_never_invoked_twice_for_a_lost_answer(settings: Settings) -> None:
    class Keys:
        access_key = secret_key = "x"

    client = Target(settings, "http://127.0.0.1:9", Keys()).client("lambda")
    assert client.meta.config.retries["total_max_attempts"] == 1
