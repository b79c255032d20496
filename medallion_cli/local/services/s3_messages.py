"""S3's HTTP messages: bodies as boto3 frames and checks them, answers as XML."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any
from xml.sax.saxutils import escape

from medallion_cli.local.protocol import ServiceError

CHUNK = 1 << 20
NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def chunks(request: Any) -> Iterator[bytes]:
    """The body's bytes; boto3 frames them as aws-chunked when it sends a trailing checksum."""
    read: Callable[[int], bytes] = request.stream.read
    if "aws-chunked" not in request.headers.get("Content-Encoding", "") and not request.headers.get(
        "x-amz-content-sha256", ""
    ).startswith("STREAMING-"):
        while chunk := read(CHUNK):
            yield chunk
        return
    yield from _unframed(request.stream)


def verified(request: Any) -> Iterator[bytes]:
    """The body; BadDigest at its end when it is not what Content-MD5 or the CRC-32 header says."""
    told, crc = request.headers.get("Content-MD5"), request.headers.get("x-amz-checksum-crc32")
    digest, summed = hashlib.md5(usedforsecurity=False), 0
    for chunk in chunks(request):
        if told:
            digest.update(chunk)
        if crc:
            summed = zlib.crc32(chunk, summed)
        yield chunk
    if (told and base64.b64encode(digest.digest()).decode() != told) or (crc and _crc_text(summed) != crc):
        raise ServiceError("BadDigest", "The checksum you specified did not match what we received.")


def _crc_text(value: int) -> str:
    return base64.b64encode(value.to_bytes(4, "big")).decode()


def _unframed(stream: IO[bytes]) -> Iterator[bytes]:
    while True:
        size = int(stream.readline().split(b";")[0].strip() or b"0", 16)
        if size == 0:
            while stream.readline().strip():  # trailing checksums
                pass
            return
        while size:
            chunk = stream.read(min(CHUNK, size))
            if not chunk:
                raise ServiceError("IncompleteBody", "the body ended early")
            size -= len(chunk)
            yield chunk
        stream.readline()


def body_of(request: Any) -> bytes:
    """The whole body."""
    return b"".join(chunks(request))


def list_parameters(args: Any) -> dict[str, str]:
    """A listing's query parameters by the API's names."""
    names = {
        "prefix": "Prefix",
        "delimiter": "Delimiter",
        "continuation-token": "ContinuationToken",
        "start-after": "StartAfter",
        "marker": "StartAfter",
        "max-keys": "MaxKeys",
    }
    return {names[key]: value for key, value in args.items() if key in names}


def listing(bucket: str, page: dict[str, Any], args: Any) -> str:
    """The answer to a listing."""
    encode = _url if args.get("encoding-type") == "url" else escape
    contents = "".join(
        f"<Contents><Key>{encode(e['Key'])}</Key><LastModified>{e['LastModified'].strftime('%Y-%m-%dT%H:%M:%S.%fZ')}"
        f"</LastModified><ETag>{escape(e['ETag'])}</ETag><Size>{e['Size']}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        for e in page["Contents"]
    )
    prefixes = "".join(
        f"<CommonPrefixes><Prefix>{encode(p['Prefix'])}</Prefix></CommonPrefixes>"
        for p in page["CommonPrefixes"]
    )
    token = page.get("NextContinuationToken", "")
    more = f"<NextContinuationToken>{escape(token)}</NextContinuationToken><NextMarker>{encode(token)}</NextMarker>"
    kind = f"<EncodingType>{args['encoding-type']}</EncodingType>" if "encoding-type" in args else ""
    return (
        f"<ListBucketResult {NAMESPACE}><Name>{bucket}</Name><Prefix>{encode(args.get('prefix', ''))}</Prefix>{kind}"
        f"<KeyCount>{page['KeyCount']}</KeyCount><MaxKeys>1000</MaxKeys>"
        f"<IsTruncated>{str(page['IsTruncated']).lower()}</IsTruncated>{more if token else ''}{contents}{prefixes}"
        "</ListBucketResult>"
    )


def _url(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="/")


def bucket_list(found: list[dict[str, Any]]) -> str:
    """The answer to ListBuckets."""
    rows = "".join(
        f"<Bucket><Name>{b['Name']}</Name><CreationDate>{b['CreationDate'].isoformat()}</CreationDate></Bucket>"
        for b in found
    )
    return f"<ListAllMyBucketsResult {NAMESPACE}><Buckets>{rows}</Buckets></ListAllMyBucketsResult>"


def xml(body: str) -> Any:
    """A werkzeug response of XML."""
    from werkzeug.wrappers import Response

    return Response(
        '<?xml version="1.0" encoding="UTF-8"?>\n' + body, 200, {"Content-Type": "application/xml"}
    )


def empty(status: int, headers: dict[str, str] | None = None) -> Any:
    """A werkzeug response without a body."""
    from werkzeug.wrappers import Response

    return Response("", status, headers or {})
