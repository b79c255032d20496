"""No error of botocore's passes the boundary: each becomes AwsError, with AWS's code, a line and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import botocore.exceptions as errors
import pytest
from botocore.parsers import ResponseParserError

from medallion_cli.aws.errors import Asked
from medallion_cli.aws.session import Target, _Translated, translated
from medallion_cli.errors import AwsError
from medallion_cli.settings import Settings

DEV = Settings(env="dev", region="eu-west-1", profile="warehouse")
LOCAL = Settings(env="local", target="embedded")
URL = "https://dms.eu-west-1.amazonaws.com"


def raising(error: Exception) -> Any:
    def call() -> None:
        raise error

    return call


def met(error: Exception, settings: Settings = DEV, operation: str = "DescribeEndpoints") -> AwsError:
    """What an operator gets to see of it."""
    with pytest.raises(AwsError) as raised:
        translated(raising(error), Asked("dms", operation, settings))()
    return raised.value


def refused(code: str, message: str = "said so") -> errors.ClientError:
    return errors.ClientError({"Error": {"Code": code, "Message": message}}, "DescribeStacks")


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("ExpiredToken", "aws sso login --profile warehouse"),
        ("ExpiredTokenException", "aws sso login --profile warehouse"),
        ("RequestExpired", "clock"),
        ("InvalidClientTokenId", "get-caller-identity --profile warehouse"),
        ("UnrecognizedClientException", "get-caller-identity"),
        ("AuthFailure", "get-caller-identity"),
        ("RequestTimeTooSkewed", "clock"),
        ("AccessDenied", "ask for dms:DescribeEndpoints"),
        ("AccessDeniedException", "ask for dms:DescribeEndpoints"),
        ("UnauthorizedOperation", "ask for dms:DescribeEndpoints"),
        ("Client.UnauthorizedOperation", "ask for dms:DescribeEndpoints"),
        ("AuthorizationError", "ask for dms:DescribeEndpoints"),
        ("AccessDeniedFault", "ask for dms:DescribeEndpoints"),
        ("KMSAccessDeniedFault", "ask for"),
        ("403", "ask for"),
        ("OptInRequired", "switch eu-west-1 on"),
        ("RegionDisabledException", "switch eu-west-1 on"),
        ("SubscriptionRequiredException", "open its page"),
        ("PermanentRedirect", "--region"),
        ("AuthorizationHeaderMalformed", "--region"),
        ("IllegalLocationConstraintException", "--region"),
        ("Throttling", "wait a minute"),
        ("ThrottlingException", "wait a minute"),
        ("ThrottledException", "wait a minute"),
        ("TooManyRequestsException", "wait a minute"),
        ("RequestLimitExceeded", "wait a minute"),
        ("SlowDown", "wait a minute"),
        ("LimitExceeded", "Service Quotas, dms, eu-west-1"),
        ("LimitExceededException", "Service Quotas"),
        ("ServiceQuotaExceededException", "Service Quotas"),
        ("ResourceQuotaExceededFault", "Service Quotas"),
        ("VpcLimitExceeded", "Service Quotas"),
        ("InstanceQuotaExceeded", "Service Quotas"),
        ("StorageQuotaExceeded", "Service Quotas"),
        ("ResourceNumberLimitExceededException", "Service Quotas"),
        ("TooManyBuckets", "Service Quotas"),
        ("ConcurrentRunsExceededException", "status"),
        ("InsufficientDBInstanceCapacity", "another"),
        ("InsufficientResourceCapacityFault", "another"),
        ("ServiceUnavailable", "wait a little"),
        ("InternalFailure", "wait a little"),
        ("503", "wait a little"),
        ("KMSInvalidStateException", "KMS console"),
        ("KMSKeyNotAccessibleFault", "KMS console"),
        ("InvalidResourceStateFault", "changing or in use"),
        ("InsufficientCapabilitiesException", "validate"),
        ("NoSuchBucket", None),
        ("ValidationError", None),
    ],
)
def test_a_refusal_keeps_its_code_and_says_what_to_do(code: str, hint: str | None) -> None:
    error = met(refused(code))
    assert error.code == code
    assert (hint in str(error.hint)) if hint else error.hint is None


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (errors.NoCredentialsError(), "aws configure"),
        (errors.PartialCredentialsError(provider="env", cred_var="secret"), "aws configure list"),
        (errors.ProfileNotFound(profile="nobody"), "another profile"),
        (errors.NoRegionError(), "aws configure list"),
        (errors.TokenRetrievalError(provider="sso", error_msg="x"), "aws sso login"),
        (errors.UnauthorizedSSOTokenError(), "aws sso login"),
        (errors.SSOTokenLoadError(profile_name="x", error_msg="y"), "aws sso login"),
        (errors.CredentialRetrievalError(provider="process", error_msg="x"), "fresh credentials"),
        (errors.EndpointConnectionError(endpoint_url=URL), "check the network, and that region eu-west-1"),
        (errors.ConnectTimeoutError(endpoint_url=URL), "check the network"),
        (errors.ReadTimeoutError(endpoint_url=URL), "check the network"),
        (errors.ConnectionClosedError(endpoint_url=URL), "check the network"),
        (errors.ProxyConnectionError(proxy_url="http://proxy"), "HTTPS_PROXY"),
        (errors.SSLError(endpoint_url=URL, error="self-signed"), "AWS_CA_BUNDLE"),
        (errors.ParamValidationError(report="wrong"), None),
    ],
)
def test_what_never_reached_aws_is_told_by_its_kind(error: errors.BotoCoreError, hint: str | None) -> None:
    found = met(error)
    assert found.code == type(error).__name__
    assert (hint in str(found.hint)) if hint else found.hint is None


def test_the_embedded_aws_is_asked_after_when_it_does_not_answer() -> None:
    error = met(errors.EndpointConnectionError(endpoint_url="http://127.0.0.1:9"), LOCAL)
    assert error.hint == "medallion local status, then type the same command"
    assert met(ResponseParserError("no XML\n<html>")).hint == "medallion local status"


def test_the_missing_permission_is_named_with_its_resource() -> None:
    said = (
        "User: arn:aws:iam::000000000000:user/eve is not authorized to perform: rds:CreateDBInstance on resource: "
        "arn:aws:rds:eu-west-1:000000000000:db:retail-dev-source because no identity-based policy allows it"
    )
    error = met(refused("AccessDenied", said))
    assert str(error) == (
        "AccessDenied: not allowed: rds:CreateDBInstance on arn:aws:rds:eu-west-1:000000000000:db:retail-dev-source"
    )
    assert str(error.hint).startswith("ask for rds:CreateDBInstance ")


def test_an_explanation_nobody_can_read_is_left_out() -> None:
    said = "You are not authorized to perform this operation. Encoded authorization failure message: 4xJ…"
    assert (
        str(met(refused("UnauthorizedOperation", said)))
        == "UnauthorizedOperation: not allowed: dms:DescribeEndpoints"
    )


def test_a_service_control_policy_is_somebody_elses_to_change() -> None:
    said = (
        "User: x is not authorized to perform: dms:Describe with an explicit deny in a service control policy"
    )
    assert "who runs it" in str(met(refused("AccessDeniedException", said)).hint)


def test_a_clock_that_is_wrong_is_told_from_credentials_that_are() -> None:
    said = "Signature expired: 20260101T000000Z is now earlier than 20260101T010000Z"
    assert "clock" in str(met(refused("InvalidSignatureException", said)).hint)


def test_expired_credentials_are_known_by_their_message_too() -> None:
    said = "The security token included in the request is expired"
    assert "aws sso login" in str(met(refused("UnrecognizedClientException", said)).hint)


def test_a_bug_is_not_translated() -> None:
    with pytest.raises(KeyError):
        translated(raising(KeyError("x")), Asked("s3", "GetObject", DEV))()


def test_a_page_that_fails_is_translated_too() -> None:
    model = SimpleNamespace(signing_name="glue")

    class Client:
        meta = SimpleNamespace(service_model=model, method_to_api_mapping={"get_job_runs": "GetJobRuns"})

        def get_paginator(self, _: str) -> Client:
            return self

        def paginate(self, **_: Any) -> Iterator[int]:
            yield 1
            raise refused("AccessDeniedException")

    pages = _Translated(Client(), DEV).get_paginator("get_job_runs").paginate()
    assert next(pages) == 1
    with pytest.raises(AwsError) as raised:
        next(pages)
    assert "glue:GetJobRuns" in str(raised.value.hint)


def test_a_profile_that_is_not_there_is_told_when_a_client_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(AwsError, match="ProfileNotFound"):
        Target(DEV).client("s3")


def test_a_function_is_never_invoked_twice_for_a_lost_answer() -> None:
    class Keys:
        access_key = secret_key = "x"

    client = Target(LOCAL, "http://127.0.0.1:9", Keys()).client("lambda")
    assert client.meta.config.retries["total_max_attempts"] == 1
