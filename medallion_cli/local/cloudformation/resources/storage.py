"""S3 buckets; encryption and lifecycle are validated and kept, local objects are plain files."""

from __future__ import annotations

from medallion_cli.local.cloudformation.resources.api import generated, recreated, told
from medallion_cli.local.cloudformation.resources.handler import (
    Handler,
    Made,
    Properties,
    Request,
    is_missing,
)
from medallion_cli.local.protocol import ServiceError


def _name(request: Request) -> str:
    return request.physical_id or request.properties.get("BucketName") or generated(request, 63, lower=True)


def _create(request: Request) -> Made:
    """A name that is taken is refused even where CreateBucket itself would be content (us-east-1)."""
    if _exists(request):
        raise ServiceError("BucketAlreadyOwnedByYou", f"{_name(request)} already exists", 409)
    where = None if request.cloud.region == "us-east-1" else {"LocationConstraint": request.cloud.region}
    request.call("s3", "CreateBucket", Bucket=_name(request), CreateBucketConfiguration=where)
    return _made(request)


def _exists(request: Request) -> bool:
    try:
        request.call("s3", "HeadBucket", Bucket=_name(request))
    except ServiceError as error:
        if is_missing(error):
            return False
        raise
    return True


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


def _read(request: Request) -> Properties:
    """Only that it is there: encryption, lifecycle and access are inert locally."""
    request.call("s3", "HeadBucket", Bucket=request.physical_id)
    return told(request.properties, {"BucketName": request.physical_id})


HANDLERS = {"AWS::S3::Bucket": Handler(_create, _made, _delete, _name, recreated(_create), _read)}
