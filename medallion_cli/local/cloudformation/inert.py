"""Types that nothing local acts on: validated, named and given attributes as AWS would, and kept."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping
from typing import Any, Final

from medallion_cli.local.cloudformation.resources.api import generated
from medallion_cli.local.cloudformation.resources.handler import Handler, Made, Request
from medallion_cli.local.cloudformation.schemas import ResourceSchema, resource_schema

_NAMED: Final = "{name}"
_EC2: Final = {
    "EIP": "eipalloc-{hex}",
    "FlowLog": "fl-{hex}",
    "InternetGateway": "igw-{hex}",
    "NatGateway": "nat-{hex}",
    "NetworkAcl": "acl-{hex}",
    "NetworkAclEntry": _NAMED,
    "Route": "{name}",
    "RouteTable": "rtb-{hex}",
    "SecurityGroup": "sg-{hex}",
    "SecurityGroupEgress": "sgr-{hex}",
    "SecurityGroupIngress": "sgr-{hex}",
    "Subnet": "subnet-{hex}",
    "SubnetNetworkAclAssociation": "aclassoc-{hex}",
    "SubnetRouteTableAssociation": "rtbassoc-{hex}",
    "VPC": "vpc-{hex}",
    "VPCEndpoint": "vpce-{hex}",
    "VPCGatewayAttachment": "IGW|vpc-{hex}",
}
# physical id (what Ref returns) by type; {name} is the type's own name property, else a generated name
INERT: Final[dict[str, str]] = {f"AWS::EC2::{kind}": pattern for kind, pattern in _EC2.items()} | {
    "AWS::Budgets::Budget": _NAMED,
    "AWS::CloudWatch::Alarm": _NAMED,
    "AWS::CloudWatch::CompositeAlarm": _NAMED,
    "AWS::CloudWatch::Dashboard": _NAMED,
    "AWS::DMS::Certificate": "arn:aws:dms:{region}:{account}:cert:{id26}",
    "AWS::DMS::EventSubscription": _NAMED,
    "AWS::Events::Rule": _NAMED,
    "AWS::Glue::DataCatalogEncryptionSettings": "{account}",
    "AWS::Glue::SecurityConfiguration": _NAMED,
    "AWS::Glue::Connection": _NAMED,
    "AWS::IAM::InstanceProfile": _NAMED,
    "AWS::IAM::ManagedPolicy": "arn:aws:iam::{account}:policy{Path}{name}",
    "AWS::IAM::Policy": _NAMED,
    "AWS::IAM::ServiceLinkedRole": _NAMED,
    "AWS::KMS::Alias": "{AliasName}",
    "AWS::KMS::Key": "{uuid}",
    "AWS::LakeFormation::DataLakeSettings": "{account}",
    "AWS::LakeFormation::PrincipalPermissions": _NAMED,
    "AWS::Lambda::EventInvokeConfig": "{name}",
    "AWS::Lambda::Permission": _NAMED,
    "AWS::Logs::MetricFilter": _NAMED,
    "AWS::Logs::QueryDefinition": "{uuid}",
    "AWS::QuickSight::Analysis": "{account}|{AnalysisId}",
    "AWS::QuickSight::Dashboard": "{account}|{DashboardId}",
    "AWS::QuickSight::DataSet": "{account}|{DataSetId}",
    "AWS::QuickSight::DataSource": "{account}|{DataSourceId}",
    "AWS::QuickSight::RefreshSchedule": "{account}|{DataSetId}|{name}",
    "AWS::QuickSight::Template": "{account}|{TemplateId}",
    "AWS::QuickSight::Theme": "{account}|{ThemeId}",
    "AWS::QuickSight::VPCConnection": "{account}|{VPCConnectionId}",
    "AWS::S3::BucketPolicy": "{Bucket}",
    "AWS::SNS::Subscription": "{TopicArn}:{uuid}",
    "AWS::SNS::TopicPolicy": _NAMED,
    "AWS::SQS::Queue": "https://sqs.{region}.amazonaws.com/{account}/{name}",
    "AWS::SQS::QueuePolicy": _NAMED,
    "AWS::SecretsManager::ResourcePolicy": "{SecretId}",
    "AWS::SecretsManager::RotationSchedule": "{SecretId}",
}
# attributes whose form matters to what they are passed to; the rest follow from their names
_ATTRIBUTES: Final[dict[str, dict[str, str]]] = {
    "AWS::EC2::EIP": {"PublicIp": "198.51.100.{octet}", "AllocationId": "{physical}"},
    "AWS::EC2::SecurityGroup": {"GroupId": "{physical}", "Id": "{physical}"},
    "AWS::EC2::Subnet": {
        "SubnetId": "{physical}",
        "VpcId": "{VpcId}",
        "AvailabilityZone": "{AvailabilityZone}",
    },
    "AWS::EC2::VPC": {"VpcId": "{physical}", "CidrBlock": "{CidrBlock}", "DefaultSecurityGroup": "sg-{hex}"},
    "AWS::IAM::InstanceProfile": {"Arn": "arn:aws:iam::{account}:instance-profile{Path}{name}"},
    "AWS::IAM::ManagedPolicy": {"PolicyArn": "{physical}"},
    "AWS::KMS::Key": {"Arn": "arn:aws:kms:{region}:{account}:key/{physical}", "KeyId": "{physical}"},
    "AWS::CloudWatch::Alarm": {"Arn": "arn:aws:cloudwatch:{region}:{account}:alarm:{name}"},
    "AWS::CloudWatch::CompositeAlarm": {"Arn": "arn:aws:cloudwatch:{region}:{account}:alarm:{name}"},
    "AWS::Events::Rule": {"Arn": "arn:aws:events:{region}:{account}:rule/{name}"},
    "AWS::SQS::Queue": {
        "Arn": "arn:aws:sqs:{region}:{account}:{name}",
        "QueueName": "{name}",
        "QueueUrl": "{physical}",
    },
}
_NAME_PROPERTIES: Final = [
    "Name",
    "ManagedPolicyName",
    "InstanceProfileName",
    "AlarmName",
    "DashboardName",
    "RuleName",
    "QueueName",
    "FilterName",
    "ConnectionName",
    "SubscriptionName",
]


def _facts(request: Request) -> dict[str, str]:
    """What the patterns can name: place, generated ids, and the resource's own scalar properties."""
    digest = hashlib.sha256(request.name.encode()).hexdigest()
    own = {key: str(value) for key, value in request.properties.items() if isinstance(value, str | int)}
    named = next((own[key] for key in _NAME_PROPERTIES if key in own), generated(request, 64))
    return {
        "AvailabilityZone": f"{request.cloud.region}a",
        "CidrBlock": "10.0.0.0/16",
        "Path": "/",
        **own,
        "region": request.cloud.region,
        "account": request.cloud.account,
        "name": named,
        "hex": f"0{digest[:16]}",
        "id26": re.sub("[^A-Z2-7]", "A", digest[:26].upper()),
        "octet": str(int(digest[:2], 16) % 254 + 1),
        "uuid": str(uuid.UUID(digest[:32])),
    }


def make_inert(request: Request) -> Made:
    """A resource by formula; the same request always gives the same ids."""
    facts = _facts(request)
    physical = request.physical_id or INERT[request.type_name].format_map(facts)
    schema = resource_schema(request.type_name, request.cloud.region)
    names = schema.attributes if schema else frozenset()
    known = _ATTRIBUTES.get(request.type_name, {})
    facts["physical"] = physical
    return Made(physical, {name: _attribute(name, known, request, facts, schema) for name in names})


def _attribute(
    name: str,
    known: Mapping[str, str],
    request: Request,
    facts: dict[str, str],
    schema: ResourceSchema | None,
) -> Any:
    if name in known:
        return known[name].format_map(facts)
    kind = schema.resolve(schema.node(name)).get("type") if schema else "string"
    match kind:
        case "array":
            return []
        case "integer" | "number":
            return 0
        case "boolean":
            return False
    return _text_attribute(name, request, facts)


def _text_attribute(name: str, request: Request, facts: dict[str, str]) -> str:
    service, kind = (part.lower() for part in request.type_name.split("::")[1:])
    if name.endswith(("Arn", "ARN")):
        last = facts["physical"].rsplit("|", 1)[-1].rsplit("/", 1)[-1]
        return f"arn:aws:{service}:{facts['region']}:{facts['account']}:{kind}/{last}"
    if name.endswith("Time") or name.endswith("Date"):
        return "2026-01-01T00:00:00Z"
    return facts["physical"] if name.endswith(("Id", "Name")) else f"{kind}-{name.lower()}"


def inert_handler() -> Handler:
    """Create and update compute, delete forgets."""
    return Handler(create=make_inert, update=make_inert, delete=lambda request: None)
