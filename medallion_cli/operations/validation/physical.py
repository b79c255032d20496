"""What a resource would be called at AWS: its Ref and its attributes, made up in their real forms."""

from __future__ import annotations

import hashlib
from typing import Any

from medallion_cli.operations.validation.documents import UNKNOWN, Document, at, text

ACCOUNT = "111122223333"  # of AWS's own examples
# type → the property that names it
NAMES = {
    "AWS::S3::Bucket": "BucketName",
    "AWS::IAM::Role": "RoleName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Glue::Job": "Name",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::Events::Rule": "Name",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
    "AWS::SecretsManager::Secret": "Name",
    "AWS::RDS::DBInstance": "DBInstanceIdentifier",
    "AWS::RDS::DBParameterGroup": "DBParameterGroupName",
    "AWS::RDS::DBSubnetGroup": "DBSubnetGroupName",
    "AWS::DMS::ReplicationSubnetGroup": "ReplicationSubnetGroupIdentifier",
    "AWS::RedshiftServerless::Namespace": "NamespaceName",
    "AWS::RedshiftServerless::Workgroup": "WorkgroupName",
    "AWS::Scheduler::ScheduleGroup": "Name",
    "AWS::Scheduler::Schedule": "Name",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::QuickSight::Dashboard": "DashboardId",
    "AWS::QuickSight::DataSet": "DataSetId",
    "AWS::QuickSight::DataSource": "DataSourceId",
    "AWS::QuickSight::VPCConnection": "VPCConnectionId",
}
# type → ARN; {p} is arn:aws, {r} region, {a} account, {n} name, {u} a unique part
ARNS = {
    "AWS::S3::Bucket": "{p}:s3:::{n}",
    "AWS::IAM::Role": "{p}:iam::{a}:role/{n}",
    "AWS::KMS::Key": "{p}:kms:{r}:{a}:key/{u}",
    "AWS::Lambda::Function": "{p}:lambda:{r}:{a}:function:{n}",
    "AWS::SNS::Topic": "{p}:sns:{r}:{a}:{n}",
    "AWS::SQS::Queue": "{p}:sqs:{r}:{a}:{n}",
    "AWS::Events::Rule": "{p}:events:{r}:{a}:rule/{n}",
    "AWS::StepFunctions::StateMachine": "{p}:states:{r}:{a}:stateMachine:{n}",
    "AWS::SecretsManager::Secret": "{p}:secretsmanager:{r}:{a}:secret:{n}-AbCdEf",
    "AWS::RDS::DBInstance": "{p}:rds:{r}:{a}:db:{n}",
    "AWS::DMS::ReplicationTask": "{p}:dms:{r}:{a}:task:{U}",
    "AWS::DMS::ReplicationInstance": "{p}:dms:{r}:{a}:rep:{U}",
    "AWS::DMS::Endpoint": "{p}:dms:{r}:{a}:endpoint:{U}",
    "AWS::DMS::Certificate": "{p}:dms:{r}:{a}:cert:{U}",
    "AWS::RedshiftServerless::Workgroup": "{p}:redshift-serverless:{r}:{a}:workgroup/{u}",
    "AWS::RedshiftServerless::Namespace": "{p}:redshift-serverless:{r}:{a}:namespace/{u}",
    "AWS::Logs::LogGroup": "{p}:logs:{r}:{a}:log-group:{n}:*",
    "AWS::CloudWatch::Alarm": "{p}:cloudwatch:{r}:{a}:alarm:{n}",
    "AWS::Scheduler::Schedule": "{p}:scheduler:{r}:{a}:schedule/default/{n}",
    "AWS::Glue::Job": "{p}:glue:{r}:{a}:job/{n}",
    "AWS::QuickSight::Dashboard": "{p}:quicksight:{r}:{a}:dashboard/{n}",
    "AWS::QuickSight::DataSet": "{p}:quicksight:{r}:{a}:dataset/{n}",
    "AWS::QuickSight::DataSource": "{p}:quicksight:{r}:{a}:datasource/{n}",
    "AWS::QuickSight::VPCConnection": "{p}:quicksight:{r}:{a}:vpcConnection/{n}",
}
REF_IS_ARN = {
    "AWS::StepFunctions::StateMachine",
    "AWS::SNS::Topic",
    "AWS::SecretsManager::Secret",
    "AWS::DMS::ReplicationTask",
    "AWS::DMS::ReplicationInstance",
    "AWS::DMS::Endpoint",
    "AWS::DMS::Certificate",
}
IDS = {
    "AWS::EC2::VPC": "vpc",
    "AWS::EC2::Subnet": "subnet",
    "AWS::EC2::SecurityGroup": "sg",
    "AWS::EC2::RouteTable": "rtb",
    "AWS::EC2::VPCEndpoint": "vpce",
}
ATTRIBUTES = {
    ("AWS::RDS::DBInstance", "Endpoint.Address"): "database.example.com",
    ("AWS::RDS::DBInstance", "Endpoint.Port"): "3306",
    ("AWS::RedshiftServerless::Workgroup", "Workgroup.Endpoint.Address"): "warehouse.example.com",
    ("AWS::RedshiftServerless::Workgroup", "Workgroup.Endpoint.Port"): "5439",
}


def referred(place: str, region: str, type_: str, properties: Document) -> Any:
    """The Ref of the resource at `place` (`stack/logical id`)."""
    if type_ in REF_IS_ARN:
        return arn(place, region, type_, properties)
    if type_ in IDS:
        return f"{IDS[type_]}-0{_unique(place)[:16]}"
    if type_ == "AWS::KMS::Key":
        return _uuid(place)
    return name(place, type_, properties)


def attribute(place: str, region: str, type_: str, properties: Document, wanted: str) -> Any:
    """An attribute of the resource at `place`."""
    if wanted in ("Arn", "JobArn", "TopicArn", "StateMachineArn") or wanted.endswith("Arn"):
        return arn(place, region, type_, properties)
    if wanted in ("GroupId", "VpcId", "SubnetId") and type_ in IDS:
        return referred(place, region, type_, properties)
    return properties.get(wanted, ATTRIBUTES.get((type_, wanted), UNKNOWN))


def name(place: str, type_: str, properties: Document) -> Any:
    """Its name: the one it is given, or one as CloudFormation makes them up."""
    if type_ == "AWS::Glue::Database":
        return at(properties, "DatabaseInput", "Name") or UNKNOWN
    given = properties.get(NAMES.get(type_, ""))
    return given if given is not None else f"{place.replace('/', '-')}-{_unique(place)[:12].upper()}"


def arn(place: str, region: str, type_: str, properties: Document) -> Any:
    """Its ARN; of a type that is not known here, one of the right beginning."""
    called = name(place, type_, properties)
    if called is UNKNOWN:
        return UNKNOWN
    form = ARNS.get(type_, "{p}:" + text(type_.split("::"), 1).lower() + ":{r}:{a}:{n}")
    unique = _unique(place)
    facts = {
        "p": "arn:aws",
        "r": region,
        "a": ACCOUNT,
        "n": called,
        "u": _uuid(place),
        "U": unique[:26].upper(),
    }
    return form.format(**facts)


def _unique(place: str) -> str:
    return hashlib.sha256(place.encode()).hexdigest()


def _uuid(place: str) -> str:
    unique = _unique(place)
    return f"{unique[:8]}-{unique[8:12]}-4{unique[13:16]}-a{unique[17:20]}-{unique[20:32]}"
