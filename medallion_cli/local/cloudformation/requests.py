"""What API callers hand in: template text, parameters, capabilities, as an Intent for one stack."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import unquote, urlparse

from medallion_cli.local.cloudformation.desire import Intent
from medallion_cli.local.cloudformation.exports import import_value, live
from medallion_cli.local.cloudformation.faults import Fault, ValidationError
from medallion_cli.local.cloudformation.inert import INERT
from medallion_cli.local.cloudformation.parameters import resolve_parameters
from medallion_cli.local.cloudformation.resources.handler import Cloud, Handler
from medallion_cli.local.cloudformation.stack import Desired, Stack, StackStore
from medallion_cli.local.cloudformation.tags import read_tags
from medallion_cli.local.cloudformation.template import MAX_BODY, MAX_FILE, Template, load_template

_IAM_NAMES: Final = ("RoleName", "ManagedPolicyName", "InstanceProfileName", "UserName", "GroupName")


# Members that change what an operation does, and that the embedded AWS does not act on.
_REFUSED: Final = frozenset(
    [
        "DeletionMode",
        "DeploymentConfig",
        "DeploymentMode",
        "ImportExistingResources",
        "NotificationARNs",
        "ResourcesToImport",
        "ResourceTypes",
        "RetainExceptOnCreate",
        "RoleARN",
        "RollbackConfiguration",
        "StackPolicyBody",
        "StackPolicyDuringUpdateBody",
        "StackPolicyDuringUpdateURL",
        "StackPolicyURL",
        "TimeoutInMinutes",
    ]
)
_NAME: Final = re.compile("[a-zA-Z][-a-zA-Z0-9]{0,127}")
_HARMLESS: Final[tuple[Any, ...]] = ("STANDARD", False, [], {})


def check_members(params: Mapping[str, Any]) -> None:
    """ValidationError for a name of the wrong form, or a member that would be left without effect."""
    for member in ("StackName", "ChangeSetName"):
        value = str(params.get(member, "a"))
        if not value.startswith("arn:") and not _NAME.fullmatch(value):
            raise ValidationError(
                f"1 validation error detected: Value '{value}' at '{member[0].lower()}{member[1:]}' failed to "
                f"satisfy constraint: Member must satisfy regular expression pattern: {_NAME.pattern}"
            )
    for name in sorted(_REFUSED & params.keys()):
        if params[name] not in _HARMLESS:
            raise ValidationError(f"{name} is not supported by the embedded AWS")


_EC2_ID: Final = re.compile(r"(List<)?AWS::EC2::(VPC|Subnet|SecurityGroup)::Id>?")


@dataclass(frozen=True)
class Reader:
    """Turns request members and stored documents into intents."""

    cloud: Cloud
    stacks: StackStore
    active: Mapping[str, Handler]

    def body(self, params: Mapping[str, Any], previous: Stack | None = None) -> str:
        """TemplateBody, TemplateURL (an object in S3) or the stack's own template."""
        if params.get("UsePreviousTemplate") and previous is not None:
            return previous.desired.body
        if "TemplateURL" in params:
            return self._fetch(params["TemplateURL"])
        if "TemplateBody" not in params:
            raise ValidationError("Either Template URL or Template Body must be specified.")
        text = str(params["TemplateBody"])
        if len(text.encode()) > MAX_BODY:
            raise ValidationError(
                f"1 validation error detected: Value at 'templateBody' failed to satisfy constraint: "
                f"Member must have length less than or equal to {MAX_BODY}"
            )
        return text

    def _fetch(self, url: str) -> str:
        """The object behind an S3 URL: bucket in the path (also of a local endpoint) or in the host."""
        parts = urlparse(url)
        host, path = parts.hostname or "", unquote(parts.path.lstrip("/"))
        if ".s3." in host or ".s3-" in host:
            bucket, key = host.split(".s3", 1)[0], path
        else:
            bucket, _, key = path.partition("/")
        if not bucket or not key:
            raise ValidationError("TemplateURL must be a supported URL.")
        body = self.cloud.call("s3", "GetObject", Bucket=bucket, Key=key)["Body"]
        data: Any = body.read() if hasattr(body, "read") else body
        text = data.decode() if isinstance(data, bytes) else str(data)
        if len(text.encode()) > MAX_FILE:
            raise ValidationError(f"Template may not exceed {MAX_FILE} bytes in size.")
        return text

    def template(self, body: str) -> Template:
        """A checked template whose every type the embedded AWS acts on or declares inert."""
        template = load_template(body, self.cloud.region)
        types = {node["Type"] for node in template.resources.values()}
        strange = sorted(types - self.active.keys() - INERT.keys())
        if strange:
            raise ValidationError(
                f"The embedded AWS neither acts on nor declares inert: [{', '.join(strange)}]"
            )
        return template

    def desired(self, params: Mapping[str, Any], stack: Stack) -> Desired:
        """The request as it will be stored; every parameter with the value it resolved to."""
        template = self.template(self.body(params, stack))
        given = _given(params.get("Parameters", []), stack.desired.parameters)
        resolved = resolve_parameters(template, given, self.stored)
        capabilities = list(params.get("Capabilities", []))
        _check_capabilities(template, capabilities)
        tags = read_tags(params["Tags"]) if "Tags" in params else stack.desired.tags
        return Desired(
            body=template.body,
            parameters={name: item.text for name, item in resolved.items()},
            tags=tags,
            capabilities=capabilities,
        )

    def stored(self, name: str) -> str:
        """The value of an SSM parameter that a template parameter names."""
        return str(self.cloud.call("ssm", "GetParameter", Name=name)["Parameter"]["Value"])

    def intent(self, stack: Stack, desired: Desired | None = None, *, preview: bool = False) -> Intent:
        """What the stack should be (or would be, as `preview`, if `desired` were executed)."""
        desired = desired or stack.desired
        template = self.template(desired.body)
        parameters = resolve_parameters(template, desired.parameters, self.stored)
        imports = partial(import_value, self.stacks)
        return Intent(template, parameters, stack, self.cloud.account, imports, preview)

    def missing_values(self, intent: Intent) -> list[str]:
        """What CloudFormation says of parameters that name networks, subnets or groups that nobody has."""
        found = []
        for name, item in intent.parameters.items():
            kind = _EC2_ID.fullmatch(str(intent.template.section("Parameters")[name]["Type"]))
            wanted = item.value if isinstance(item.value, list) else [item.value]
            for value in wanted if kind else ():
                if value not in self._network():
                    found.append(
                        f"Parameter validation failed: parameter value {value} for parameter name {name} "
                        "does not exist"
                    )
        return found

    def _network(self) -> set[str]:
        """Ids of EC2 resources of live stacks, those of a network's own default group among them."""
        made = [item for stack in live(self.stacks) for item in list(stack.resources.values())]
        found = {item.physical_id for item in made if item.type_name.startswith("AWS::EC2::")}
        return found | {str(item.attributes.get("DefaultSecurityGroup")) for item in made}


def _given(parameters: list[dict[str, Any]], previous: Mapping[str, str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for item in parameters:
        name = item["ParameterKey"]
        if not item.get("UsePreviousValue"):
            given[name] = str(item.get("ParameterValue", ""))
        elif name in previous:
            given[name] = previous[name]
        else:
            raise ValidationError(
                f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true "
                "for a parameter key not in the previous template"
            )
    return given


def needed_capabilities(template: Template) -> list[str]:
    """CAPABILITY_IAM for IAM resources, CAPABILITY_NAMED_IAM when one has a name of its own."""
    found = [node for node in template.resources.values() if node["Type"].startswith("AWS::IAM::")]
    if any(name in node.get("Properties", {}) for node in found for name in _IAM_NAMES):
        return ["CAPABILITY_NAMED_IAM"]
    return ["CAPABILITY_IAM"] if found else []


def _check_capabilities(template: Template, given: list[str]) -> None:
    for needed in needed_capabilities(template):
        if needed not in given and "CAPABILITY_NAMED_IAM" not in given:
            raise Fault(f"Requires capabilities : [{needed}]", "InsufficientCapabilitiesException")
