"""The network: three zones, nothing public, and security groups that let through what the pipeline has to send."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medallion_cli.operations.findings import Finding
from medallion_cli.operations.validation.documents import UNKNOWN, Document, at, listed, text, truthy, words
from medallion_cli.operations.validation.physical import referred

if TYPE_CHECKING:
    from medallion_cli.operations.validation.deployment import Deployment

# What DMS, the functions and Redshift call from inside; S3 goes by the gateway.
SERVICES = {"secretsmanager": "DMS and the functions read their secrets", "logs": "DMS writes its log"}
KNOWN_SERVICES = words(
    """
    s3 dynamodb secretsmanager logs kms sts glue redshift redshift-data redshift-serverless dms
    monitoring events states sqs sns lambda ec2 ec2messages ssm ssmmessages rds rds-data execute-api
    ecr.api ecr.dkr athena quicksight-website scheduler
    """
)
PLACED: dict[str, tuple[str, ...]] = {
    "AWS::RDS::DBInstance": ("DBSubnetGroupName",),
    "AWS::DMS::ReplicationInstance": ("ReplicationSubnetGroupIdentifier",),
    "AWS::RedshiftServerless::Workgroup": ("SubnetIds",),
    "AWS::Lambda::Function": ("VpcConfig", "SubnetIds"),
    "AWS::QuickSight::VPCConnection": ("SubnetIds",),
}
# (type, property) → how many subnets, and why
SUBNETS = {
    ("AWS::RedshiftServerless::Workgroup", "SubnetIds"): (3, "Redshift Serverless needs three zones"),
    ("AWS::RDS::DBSubnetGroup", "SubnetIds"): (2, "RDS needs two zones"),
    ("AWS::DMS::ReplicationSubnetGroup", "SubnetIds"): (2, "DMS needs two zones"),
    ("AWS::QuickSight::VPCConnection", "SubnetIds"): (2, "QuickSight needs two"),
}
GROUP, ENDPOINT = "AWS::EC2::SecurityGroup", "AWS::EC2::VPCEndpoint"


@dataclass(frozen=True)
class Party:
    """Something with security groups: the template's place of it, and their ids."""

    name: str
    where: str
    groups: tuple[str, ...]


def network_findings(deployment: Deployment) -> Iterator[Finding]:
    """Findings in an environment's network."""
    yield from _subnets(deployment)
    yield from _public(deployment)
    yield from _flows(deployment)
    yield from _endpoints(deployment)
    yield from _open(deployment)
    yield from _placed(deployment)


def _id(deployment: Deployment, stack: str, logical: str, kind: str) -> Any:
    return referred(f"{deployment.settings.prefix}-{stack}/{logical}", deployment.settings.region, kind, {})


def _subnets(deployment: Deployment) -> Iterator[Finding]:
    subnets = deployment.of_type("AWS::EC2::Subnet")
    blocks = [(s, name, _block(subnet.get("CidrBlock"))) for s, name, subnet in subnets]
    vpcs = [_block(vpc.get("CidrBlock")) for _, _, vpc in deployment.of_type("AWS::EC2::VPC")]
    for number, (stack, logical, block) in enumerate(blocks):
        where = deployment.place(stack, logical, "CidrBlock")
        if block is None:
            continue
        if not 16 <= block.prefixlen <= 28:
            yield Finding(where, f"{block}: a subnet is a /16 to a /28", "another SubnetBits", "MED-NET-001")
        if any(vpc is not None and not block.subnet_of(vpc) for vpc in vpcs):
            yield Finding(
                where, f"{block} is outside of the network", "a block within CidrBlock", "MED-NET-001"
            )
        for _, other, earlier in blocks[:number]:
            if earlier is not None and block.overlaps(earlier):
                yield Finding(where, f"{block} overlaps {other}", "another block", "MED-NET-001")
    zones = {text(subnet, "AvailabilityZone") for _, _, subnet in subnets}
    if len(zones) < 3:
        where = "infra_templates/network.yaml Resources"
        what = f"subnets are in {len(zones)} zones: Redshift Serverless needs three"
        yield Finding(where, what, "a subnet in each of three zones", "MED-NET-002")
    for (kind, key), (least, why) in SUBNETS.items():
        for stack, logical, properties in deployment.of_type(kind):
            given = properties.get(key)
            if isinstance(given, list) and len(set(map(str, given))) < least:
                where = deployment.place(stack, logical, key)
                yield Finding(
                    where,
                    f"{len(given)} subnets: {why}",
                    f"at least {least}, each in a zone of its own",
                    "MED-NET-002",
                )
    for stack, logical, vpc in deployment.of_type("AWS::EC2::VPC"):
        for key in ("EnableDnsSupport", "EnableDnsHostnames"):
            if not truthy(vpc.get(key)):
                where = deployment.place(stack, logical, key)
                yield Finding(
                    where,
                    "is off: private names of endpoints resolve to nothing",
                    f"{key}: true",
                    "MED-NET-003",
                )


def _block(value: Any) -> ipaddress.IPv4Network | None:
    try:
        return ipaddress.IPv4Network(str(value))
    except ValueError:
        return None


def _public(deployment: Deployment) -> Iterator[Finding]:
    """Nothing has a public address or a way out to the internet."""
    kinds = ("AWS::RDS::DBInstance", "AWS::DMS::ReplicationInstance", "AWS::RedshiftServerless::Workgroup")
    for stack, logical, properties in deployment.of_type(*kinds):
        value = properties.get("PubliclyAccessible")
        if value is not UNKNOWN and (value is None or truthy(value)):
            where = deployment.place(stack, logical, "PubliclyAccessible")
            yield Finding(where, "has a public address", "PubliclyAccessible: false", "MED-NET-010")
    for stack, logical, subnet in deployment.of_type("AWS::EC2::Subnet"):
        if truthy(subnet.get("MapPublicIpOnLaunch")):
            where = deployment.place(stack, logical, "MapPublicIpOnLaunch")
            yield Finding(where, "gives public addresses", "take it out", "MED-NET-010")
    for stack, logical, route in deployment.of_type("AWS::EC2::Route"):
        if "GatewayId" in route and text(route, "DestinationCidrBlock") == "0.0.0.0/0":
            where = deployment.place(stack, logical)
            yield Finding(where, "leads a private subnet to the internet", "take it out", "MED-NET-010")


def _parties(deployment: Deployment, kind: str, *keys: str) -> list[Party]:
    return [
        Party(logical, deployment.place(stack, logical, *keys), tuple(map(str, listed(properties, *keys))))
        for stack, logical, properties in deployment.of_type(kind)
    ]


def _flows(deployment: Deployment) -> Iterator[Finding]:
    databases = _parties(deployment, "AWS::RDS::DBInstance", "VPCSecurityGroups")
    replication = _parties(deployment, "AWS::DMS::ReplicationInstance", "VpcSecurityGroupIds")
    functions = _parties(deployment, "AWS::Lambda::Function", "VpcConfig", "SecurityGroupIds")
    warehouses = _parties(deployment, "AWS::RedshiftServerless::Workgroup", "SecurityGroupIds")
    dashboards = _parties(deployment, "AWS::QuickSight::VPCConnection", "SecurityGroupIds")
    endpoints = [
        party
        for party, (_, _, e) in zip(
            _parties(deployment, ENDPOINT, "SecurityGroupIds"), deployment.of_type(ENDPOINT), strict=True
        )
        if e.get("VpcEndpointType") == "Interface"
    ]
    for senders, receivers, port in (
        (replication, databases, _port(deployment)),
        (functions, databases, _port(deployment)),
        (dashboards, warehouses, 5439),
        (replication, endpoints, 443),
        (functions, endpoints, 443),
    ):
        for sender in senders:
            for receiver in receivers:
                yield from _flow(deployment, sender, receiver, port)
    for dashboard in dashboards:  # QuickSight keeps no state of its connections: answers are new packets
        for warehouse in warehouses:
            yield from _flow(deployment, warehouse, dashboard, 49152)


def _port(deployment: Deployment) -> int:
    """The source's own port."""
    for _, _, database in deployment.of_type("AWS::RDS::DBInstance"):
        port = str(database.get("Port", 3306))
        return int(port) if port.isdigit() else 3306
    return 3306


def _flow(deployment: Deployment, sender: Party, receiver: Party, port: int) -> Iterator[Finding]:
    if not receiver.groups:
        yield Finding(
            receiver.where, "has no security group of the template", "name its security group", "MED-NET-020"
        )
    elif not _into(deployment, sender, receiver, port):
        what = f"nothing lets {sender.name} reach {receiver.name} on port {port}"
        remedy = f"an ingress rule of tcp {port} from the security group of {sender.name}"
        yield Finding(receiver.where, what, remedy, "MED-NET-021")
    elif not _out_of(deployment, sender, receiver, port):
        what = f"{sender.name} may not send to {receiver.name} on port {port}"
        yield Finding(sender.where, what, f"an egress rule of tcp {port}", "MED-NET-022")


def _into(deployment: Deployment, sender: Party, receiver: Party, port: int) -> bool:
    rules = [rule for group in receiver.groups for rule in _rules(deployment, group, "Ingress")]
    vpcs = [_block(vpc.get("CidrBlock")) for _, _, vpc in deployment.of_type("AWS::EC2::VPC")]
    return any(
        _passes(rule, port) and _from(rule, sender.groups, vpcs, "SourceSecurityGroupId") for rule in rules
    )


def _out_of(deployment: Deployment, sender: Party, receiver: Party, port: int) -> bool:
    """A group without egress rules of its own lets all out."""
    own = [(group, list(_rules(deployment, group, "Egress"))) for group in sender.groups]
    vpcs = [_block(vpc.get("CidrBlock")) for _, _, vpc in deployment.of_type("AWS::EC2::VPC")]
    return not own or any(
        not rules
        or any(
            _passes(r, port) and _from(r, receiver.groups, vpcs, "DestinationSecurityGroupId") for r in rules
        )
        for _, rules in own
    )


def _rules(deployment: Deployment, group: str, direction: str) -> Iterator[Document]:
    for stack, logical, properties in deployment.of_type(GROUP):
        if _id(deployment, stack, logical, GROUP) == group:
            yield from (r for r in listed(properties, f"SecurityGroup{direction}") if isinstance(r, dict))
    for _, _, rule in deployment.of_type(f"AWS::EC2::SecurityGroup{direction}"):
        if rule.get("GroupId") == group:
            yield rule


def _passes(rule: Document, port: int) -> bool:
    if str(rule.get("IpProtocol")) == "-1":
        return True
    if str(rule.get("IpProtocol")).lower() not in ("tcp", "6"):
        return False
    try:
        return int(str(rule.get("FromPort"))) <= port <= int(str(rule.get("ToPort")))
    except ValueError:
        return False


def _from(
    rule: Document, groups: tuple[str, ...], vpcs: list[ipaddress.IPv4Network | None], key: str
) -> bool:
    if rule.get(key) in groups or rule.get(key) is UNKNOWN:
        return True
    block = _block(rule.get("CidrIp")) if rule.get("CidrIp") else None
    return block is not None and any(vpc is not None and vpc.subnet_of(block) for vpc in vpcs)


def _endpoints(deployment: Deployment) -> Iterator[Finding]:
    region, found = deployment.settings.region, set()
    for stack, logical, endpoint in deployment.of_type(ENDPOINT):
        where, name = deployment.place(stack, logical, "ServiceName"), text(endpoint, "ServiceName")
        service = name.removeprefix(f"com.amazonaws.{region}.")
        if service not in KNOWN_SERVICES:
            yield Finding(
                where, f"{name} is no service here", "com.amazonaws.${AWS::Region}.<service>", "MED-NET-030"
            )
        if endpoint.get("VpcEndpointType") == "Interface":
            found.add(service)
            if not endpoint.get("SubnetIds"):
                where = deployment.place(stack, logical, "SubnetIds")
                yield Finding(
                    where,
                    "is in no subnet: nothing reaches it",
                    "SubnetIds: the private subnets",
                    "MED-NET-034",
                )
            if service == "s3":
                where = deployment.place(stack, logical, "VpcEndpointType")
                what = "an interface to S3 costs by the hour, and its names are not S3's own"
                yield Finding(where, what, "VpcEndpointType: Gateway", "MED-NET-034")
            if not truthy(endpoint.get("PrivateDnsEnabled")):
                where = deployment.place(stack, logical, "PrivateDnsEnabled")
                yield Finding(
                    where,
                    "is off: the service's own name leads out",
                    "PrivateDnsEnabled: true",
                    "MED-NET-031",
                )
        elif service == "s3":
            found.add("s3")
            yield from _gateway(deployment, stack, logical, endpoint)
    where = "infra_templates/network.yaml Resources"
    if "s3" not in found:
        yield Finding(
            where,
            "has no gateway to S3: DMS and COPY reach no bucket",
            "a Gateway endpoint for s3",
            "MED-NET-032",
        )
    if deployment.settings.parameters.get("InterfaceEndpoints") != "false":
        for service, why in SERVICES.items():
            if service not in found:
                what = f"has no endpoint for {service}: {why}"
                yield Finding(where, what, f"an Interface endpoint for {service}", "MED-NET-032")


def _gateway(deployment: Deployment, stack: str, logical: str, endpoint: Document) -> Iterator[Finding]:
    """Every subnet's route table leads to it."""
    tables = set(map(str, listed(endpoint, "RouteTableIds")))
    routed = {
        text(a, "SubnetId"): text(a, "RouteTableId")
        for _, _, a in deployment.of_type("AWS::EC2::SubnetRouteTableAssociation")
    }
    for owner, name, _ in deployment.of_type("AWS::EC2::Subnet"):
        if routed.get(_id(deployment, owner, name, "AWS::EC2::Subnet")) not in tables:
            where = deployment.place(stack, logical, "RouteTableIds")
            what = f"{name} has no route to it: DMS and COPY there reach no bucket"
            yield Finding(
                where, what, f"a route table association of {name}, and its table here", "MED-NET-033"
            )


def _placed(deployment: Deployment) -> Iterator[Finding]:
    """What is in no subnet group lands in the account's default network, or nowhere."""
    for kind, path in PLACED.items():
        for stack, logical, properties in deployment.of_type(kind):
            if not at(properties, *path):
                where = deployment.place(stack, logical, *path)
                yield Finding(
                    where,
                    "is not set: it would be outside of this network",
                    f"set {'.'.join(path)}",
                    "MED-NET-041",
                )


def _open(deployment: Deployment) -> Iterator[Finding]:
    """No rule takes anybody in."""
    found: list[tuple[str, str, tuple[str | int, ...], Any]] = [
        (s, n, ("SecurityGroupIngress", i), r)
        for s, n, p in deployment.of_type(GROUP)
        for i, r in enumerate(listed(p, "SecurityGroupIngress"))
    ]
    found += [(s, n, (), rule) for s, n, rule in deployment.of_type("AWS::EC2::SecurityGroupIngress")]
    for stack, logical, path, rule in found:
        if at(rule, "CidrIp") == "0.0.0.0/0" or at(rule, "CidrIpv6") == "::/0":
            where = deployment.place(stack, logical, *path)
            yield Finding(where, "lets everybody in", "a security group as the source", "MED-NET-040")
