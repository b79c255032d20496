"""AWS's errors as a line and what to do about it: the table of what an operator can meet.

Codes differ from service to service for the same matter (EC2 says UnauthorizedOperation, S3 AccessDenied, SNS
AuthorizationError), so a row is a pattern over codes. botocore's own errors (no credentials, no endpoint) go by class name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medallion_cli.errors import AwsError

if TYPE_CHECKING:
    from medallion_cli.settings import Settings

AGAIN = "then type the same command"
PERMISSION = (
    r"AccessDenied(Exception|Fault)?|UnauthorizedOperation|Unauthorized(Exception|AccessException)?"
    r"|AuthorizationError(Exception)?|NotAuthorized(Exception)?|KMSAccessDenied(Fault|Exception)?|Forbidden|403"
)
ACTIONS = {  # where IAM's name of what was asked is not the operation's
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:HeadObject": "s3:GetObject",
    "s3:DeleteObjects": "s3:DeleteObject",
    "lambda:Invoke": "lambda:InvokeFunction",
}
# a code pattern, and the hint: {profile}, {region}, {service} and {action} are filled in
HINTS = (
    # credentials
    (r"ExpiredToken(Exception)?|TokenRefreshRequired|UnauthorizedSSOTokenError|SSOTokenLoadError"
     r"|SSOError|TokenRetrievalError|LoginRefreshRequired|LoginTokenLoadError|CredentialRetrievalError",
     "aws sso login{profile}, or get fresh credentials; " + AGAIN),
    (r"NoCredentialsError|NoAuthTokenError|MissingAuthenticationToken(Exception)?",
     "aws configure, or name a profile with --profile"),
    (r"PartialCredentialsError|ProfileNotFound|ConfigParseError|ConfigNotFound|InvalidConfigError|NoRegionError"
     r"|MissingDependencyException",
     "aws configure list{profile}, or name another profile with --profile"),
    (r"InvalidClientTokenId|UnrecognizedClient(Exception)?|InvalidAccessKeyId|SignatureDoesNotMatch|AuthFailure"
     r"|InvalidSignature(Exception)?|InvalidToken(Id)?|IncompleteSignature(Exception)?",
     "aws sts get-caller-identity{profile} shows whose credentials these are; name another with --profile"),
    (r"RequestTimeTooSkewed|RequestExpired|ClockSkew", "set this machine's clock, " + AGAIN),
    # permissions
    (PERMISSION,
     "ask for {action} (docs/aws.md has the whole policy), or name another profile with --profile"),
    (r"PendingVerification|SubscriptionRequiredException|NotSignedUp|AccountProblem",
     "the account is not ready for {service}: open its page in the AWS console once"),
    # region
    (r"OptInRequired|RegionDisabledException",
     "switch {region} on in the account's settings, or set `region` in configs"),
    (r"PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraintException|InvalidLocationConstraint"
     r"|TemporaryRedirect|UnknownRegionError|UnknownEndpointError|InvalidRegionError|EndpointVariantError",
     "this is another region's: set `region` in configs, or give --region"),
    # too fast, too much
    (r"Throttl(ing|ed|ingException|edException)|RequestThrottled(Exception)?|TooManyRequests(Exception)?|SlowDown"
     r"|RequestLimitExceeded|BandwidthLimitExceeded|PriorRequestNotComplete|ProvisionedThroughputExceededException"
     r"|EC2ThrottledException|ActiveStatementsExceededException",
     "wait a minute, " + AGAIN),
    (r"ConcurrentRunsExceededException", "medallion status shows what runs; wait for it"),
    (r"\w*(Limit|Quota)s?(Exceeded|Reached)\w*|\w*Exceeds(Limit|Quota)\w*|TooMany\w+|CodeStorageExceededException",
     "ask for a higher quota (AWS console, Service Quotas, {service}, {region}), " + AGAIN),
    (r"Insufficient\w*Capacity\w*", "AWS has none left of this class here: choose another in configs, or try later"),
    # the network
    (r"EndpointConnectionError|ConnectTimeoutError|ReadTimeoutError|ConnectionClosedError|ConnectionError|HTTPClientError",
     "{network}, " + AGAIN),
    (r"ProxyConnectionError|SSLError|InvalidProxiesConfigError",
     "check HTTPS_PROXY and AWS_CA_BUNDLE, " + AGAIN),
    (r"UnreadableAnswer", "medallion local status"),
    (r"ServiceUnavailable(Exception|Error)?|Internal(Failure|Error|ServerError|ServerException|ServiceException|FailureException)"
     r"|ServerException|50[0-9]|DependencyTimeout\w*",
     "AWS has trouble (health.aws.amazon.com); wait a little, " + AGAIN),
    # things
    (r"KMS(InvalidState|Disabled|NotFound|KeyNotAccessible)\w*|DisabledException|KeyUnavailableException",
     "the environment's key is disabled or being deleted: enable it, or cancel its deletion, in the KMS console"),
    (r"InvalidResourceStateFault|InvalidDBInstanceState(Fault)?|ResourceConflictException"
     r"|OperationInProgressException|ConflictException|ResourceInUseException|ConcurrentModificationException",
     "it is changing or in use: wait a little, " + AGAIN),
    (r"InsufficientCapabilitiesException", "medallion validate"),
)  # fmt: skip
FORBIDDEN = re.compile(r"is not authorized to perform:? ([\w-]+:\w+)(?: on resource:? (\S+))?")
ORGANIZATION = "with an explicit deny in a service control policy"
RESENT = re.compile(r"Signature (expired|not yet current)|security token included in the request is expired")


@dataclass(frozen=True)
class Asked:
    """The call that failed."""

    service: str  # as IAM names it
    operation: str
    settings: Settings

    @property
    def action(self) -> str:
        """What IAM calls it."""
        name = f"{self.service}:{self.operation}"
        return ACTIONS.get(name, name)


def refused(error: Any, asked: Asked) -> AwsError:
    """A ClientError (AWS said no) as ours; its code is AWS's, however the message is shortened."""
    details = error.response.get("Error", {})
    code = str(details.get("Code", "Unknown"))
    message = str(details.get("Message") or error)
    kind = _kind(code, message)
    action = FORBIDDEN.search(message)
    said = asked.action if action is None else action[1]
    if is_permission(kind):
        message = _forbidden(message, said, action[2] if action else None)
    hint = _hint(kind, asked, said)
    if ORGANIZATION in str(details.get("Message")):
        hint = f"the organization forbids {said} here (service control policy): ask who runs it"
    return AwsError(code, message, hint=hint)


def unreached(error: Any, asked: Asked) -> AwsError:
    """A BotoCoreError (nothing was asked, or nothing answered) as ours; its code is the class's name."""
    name = type(error).__name__
    return AwsError(name, " ".join(str(error).split()), hint=_hint(name, asked, asked.action))


def _kind(code: str, message: str) -> str:
    """The code that a row of the table goes by: some services tell expired credentials only in their message."""
    short = code.removeprefix("Client.").removeprefix("Server.")
    if match := RESENT.search(message):
        return "RequestTimeTooSkewed" if match[1] else "ExpiredToken"
    return short


def is_permission(kind: str) -> bool:
    """Whether it says that one may not."""
    return bool(re.fullmatch(PERMISSION, kind))


def _forbidden(message: str, action: str, resource: str | None) -> str:
    """What is not allowed; EC2's encoded explanation, which nobody can read, is left out."""
    if "not authorized to perform" not in message and "Encoded authorization" not in message:
        return f"{action}: {message}"
    return f"not allowed: {action}" + (f" on {resource.rstrip('.')}" if resource else "")


def _hint(kind: str, asked: Asked, action: str) -> str | None:
    found = next((hint for pattern, hint in HINTS if re.fullmatch(pattern, kind)), None)
    return found and found.format(
        profile=f" --profile {asked.settings.profile}" if asked.settings.profile else "",
        region=asked.settings.region,
        service=asked.service,
        action=action,
        network=_network(asked.settings),
    )


def _network(settings: Settings) -> str:
    if settings.target == "embedded":
        return "medallion local status"
    return f"check the network, and that region {settings.region} exists"
