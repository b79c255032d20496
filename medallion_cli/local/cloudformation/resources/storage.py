"""S3 buckets; encryption and lifecycle are validated and kept, local objects are plain files."""

from __future__ import annotations

from medallion_cli.local.cloudformation.resources.api import generated, recreated
from medallion_cli.local.cloudformation.resources.handler import Handler, Made, Request


def _name(request: Request) -> str:
    return request.physical_id or request.properties.get("BucketName") or generated(request, 63, lower=True)


def _create(request: Request) -> Made:
    where = None if request.cloud.region == "us-east-1" else {"LocationConstraint": request.cloud.region}
    request.call("s3", "CreateBucket", Bucket=_name(request), CreateBucketConfiguration=where)
    return _made(request)


def _made(request: Request) -> Made:
    name, region = _name(request), request.cloud.region
    return Made(
        name,
        {
            "Arn": f"arn:aws:s3:::{name}",
            "DomainName": f"{name}.s3.amazonaws.com",
            "DualStackDomainName": f"{name}.s3.dualstack.{region}.amazonaws.com",
            "RegionalDomainName": f"{name}.s3.{region}.amazonaws.com",
            "WebsiteURL": f"http://{name}.s3-website-{region}.amazonaws.com",
        },
    )


def _delete(request: Request) -> None:
    request.call("s3", "DeleteBucket", Bucket=request.physical_id)


HANDLERS = {"AWS::S3::Bucket": Handler(_create, _made, _delete, find=_name, restore=recreated(_create))}
