"""S3 over plain files: an object is `<state>/objects/<bucket>/<key>`, so engines read and write the same objects as files."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from medallion_cli.local.protocol import Service, ServiceError
from medallion_cli.local.services.s3_messages import (
    CHUNK,
    NAMESPACE,
    body_of,
    bucket_list,
    chunks,
    empty,
    list_parameters,
    listing,
    verified,
    xml,
)
from medallion_cli.local.services.s3_upload import Uploads

if TYPE_CHECKING:
    from medallion_cli.local.runtime import Runtime

# Sub-resources that are kept as they were written and change nothing here.
KEPT = (
    "policy",
    "encryption",
    "lifecycle",
    "versioning",
    "publicAccessBlock",
    "tagging",
    "ownershipControls",
    "logging",
)


def create(runtime: Runtime) -> S3:
    """The service."""
    return S3(runtime)


class S3(Service):
    """Amazon S3, path style."""

    name = "s3"

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.root = runtime.state / "objects"
        self.uploads = Uploads(runtime.state / "uploads")
        self.places = threading.Lock()  # a deleted key's empty folders go while another key may need them

    # In-process operations, for CloudFormation and the state machine.

    def create_bucket(self, params: dict[str, Any]) -> dict[str, Any]:
        """Idempotent for the owner, as in us-east-1."""
        name = params["Bucket"]
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", name):
            raise ServiceError("InvalidBucketName", "The specified bucket is not valid.")
        (self.root / name).mkdir(parents=True, exist_ok=True)
        user = self.runtime.engine_user()
        if user:
            os.chown(self.root / name, *user)
        return {"Location": f"/{name}"}

    def delete_bucket(self, params: dict[str, Any]) -> dict[str, Any]:
        """Only an empty bucket can be deleted."""
        folder = self._bucket(params["Bucket"])
        if any(True for _ in self._keys(folder, "")):
            raise ServiceError("BucketNotEmpty", "The bucket you tried to delete is not empty", 409)
        shutil.rmtree(folder)
        self.runtime.store.delete(f"s3/{params['Bucket']}")
        return {}

    def head_bucket(self, params: dict[str, Any]) -> dict[str, Any]:
        """Whether it exists."""
        self._bucket(params["Bucket"])
        return {"BucketRegion": self.runtime.region}

    def list_buckets(self, params: dict[str, Any]) -> dict[str, Any]:
        """All of them."""
        found = sorted(self.root.iterdir()) if self.root.is_dir() else []
        return {"Buckets": [{"Name": f.name, "CreationDate": _modified(f)} for f in found]}

    def get_object(self, params: dict[str, Any]) -> dict[str, Any]:
        """Body as bytes."""
        path = self._existing(params["Bucket"], params["Key"])
        return {
            "Body": path.read_bytes(),
            "ContentLength": path.stat().st_size,
            "LastModified": _modified(path),
        }

    def put_object(self, params: dict[str, Any]) -> dict[str, Any]:
        """Body as bytes or text."""
        body = params.get("Body", b"")
        content = body.encode() if isinstance(body, str) else body
        return {"ETag": self._write(params["Bucket"], params["Key"], [content])}

    def list_objects_v2(self, params: dict[str, Any]) -> dict[str, Any]:
        """One page of keys in order."""
        return self._list(params["Bucket"], {k: str(v) for k, v in params.items()})

    def delete_object(self, params: dict[str, Any]) -> dict[str, Any]:
        """No error when it is not there."""
        self._remove(params["Bucket"], params["Key"])
        return {}

    # HTTP

    def respond(self, request: Any) -> Any:
        """A werkzeug response to an S3 request."""
        from werkzeug.wrappers import Response

        bucket, _, key = unquote(request.path.lstrip("/")).partition("/")
        try:
            if not bucket:
                return xml(bucket_list(self.list_buckets({})["Buckets"]))
            return self._object(request, bucket, key) if key else self._on_bucket(request, bucket)
        except ServiceError as error:
            body = f"<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message></Error>"
            return Response(
                "" if request.method == "HEAD" else body, error.status, {"Content-Type": "application/xml"}
            )

    def _on_bucket(self, request: Any, bucket: str) -> Any:
        kept = next((name for name in KEPT if name in request.args), None)
        match request.method:
            case _ if kept:
                return self._configuration(request, bucket, kept)
            case "PUT":
                self.create_bucket({"Bucket": bucket})
                return empty(200, {"Location": f"/{bucket}"})
            case "HEAD":
                return empty(
                    200, {"x-amz-bucket-region": self.head_bucket({"Bucket": bucket})["BucketRegion"]}
                )
            case "DELETE":
                self.delete_bucket({"Bucket": bucket})
                return empty(204)
            case "POST" if "delete" in request.args:
                return self._delete_many(bucket, body_of(request))
            case "GET" if "location" in request.args:
                return xml(f"<LocationConstraint {NAMESPACE}>{self.runtime.region}</LocationConstraint>")
            case "GET" if "uploads" in request.args:
                return xml(f"<ListMultipartUploadsResult {NAMESPACE}></ListMultipartUploadsResult>")
            case "GET" if "versions" in request.args:
                return xml(
                    f"<ListVersionsResult {NAMESPACE}><IsTruncated>false</IsTruncated></ListVersionsResult>"
                )
            case "GET":
                return xml(listing(bucket, self._list(bucket, list_parameters(request.args)), request.args))
        raise ServiceError("MethodNotAllowed", f"{request.method} on a bucket", 405)

    def _object(self, request: Any, bucket: str, key: str) -> Any:
        match request.method:
            case "PUT" if "partNumber" in request.args:
                part = int(request.args["partNumber"])
                return empty(
                    200, {"ETag": self.uploads.part(request.args["uploadId"], part, chunks(request))}
                )
            case "PUT" if "x-amz-copy-source" in request.headers:
                return self._copy(request.headers["x-amz-copy-source"], bucket, key)
            case "PUT":
                return empty(200, {"ETag": self._write(bucket, key, verified(request))})
            case "POST" if "uploads" in request.args:
                self._path(bucket, key)
                upload = self.uploads.begin()
                return xml(
                    f"<InitiateMultipartUploadResult {NAMESPACE}><Bucket>{bucket}</Bucket><Key>{escape(key)}</Key>"
                    f"<UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
                )
            case "POST" if "uploadId" in request.args:
                return self._complete(bucket, key, request.args["uploadId"], body_of(request))
            case "DELETE" if "uploadId" in request.args:
                self.uploads.abort(request.args["uploadId"])
                return empty(204)
            case "DELETE":
                self._remove(bucket, key)
                return empty(204)
            case "GET" | "HEAD":
                return self._send(request, bucket, key)
        raise ServiceError("MethodNotAllowed", f"{request.method} on an object", 405)

    def _send(self, request: Any, bucket: str, key: str) -> Any:
        from werkzeug.wrappers import Response

        path = self._existing(bucket, key)
        size, status = path.stat().st_size, 200
        first, last = 0, size - 1
        headers = {
            "ETag": _etag(path),
            "Last-Modified": format_datetime(_modified(path), usegmt=True),
            "Accept-Ranges": "bytes",
            "Content-Type": "binary/octet-stream",
        }
        if match := re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("Range", "")):
            first, last = _range(match, size)
            status = 206
            headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        headers["Content-Length"] = str(last - first + 1)
        body = [] if request.method == "HEAD" else _read(path, first, last)
        return Response(body, status, headers, direct_passthrough=True)

    def _copy(self, source: str, bucket: str, key: str) -> Any:
        from_bucket, _, from_key = unquote(source).lstrip("/").partition("?")[0].partition("/")
        path = self._existing(from_bucket, from_key)
        tag = self._write(bucket, key, _read(path, 0, path.stat().st_size - 1))
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        return xml(
            f"<CopyObjectResult><ETag>{escape(tag)}</ETag><LastModified>{now}</LastModified></CopyObjectResult>"
        )

    def _complete(self, bucket: str, key: str, upload: str, body: bytes) -> Any:
        numbers = [
            int(node.text or "0")
            for node in ElementTree.fromstring(body).iter()
            if node.tag.endswith("PartNumber")
        ]
        tag = self._write(bucket, key, self.uploads.content(upload, numbers))
        self.uploads.abort(upload)
        return xml(
            f"<CompleteMultipartUploadResult {NAMESPACE}><Bucket>{bucket}</Bucket><Key>{escape(key)}</Key>"
            f"<ETag>{escape(tag)}</ETag></CompleteMultipartUploadResult>"
        )

    def _delete_many(self, bucket: str, body: bytes) -> Any:
        keys = [node.text or "" for node in ElementTree.fromstring(body).iter() if node.tag.endswith("}Key")]
        for key in keys:
            self._remove(bucket, key)
        deleted = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        return xml(f"<DeleteResult {NAMESPACE}>{deleted}</DeleteResult>")

    def _configuration(self, request: Any, bucket: str, name: str) -> Any:
        self._bucket(bucket)
        document = self.runtime.store.load(f"s3/{bucket}", {})
        if request.method == "PUT":
            document[name] = body_of(request).decode()
            self.runtime.store.save(f"s3/{bucket}", document)
            return empty(200)
        if request.method == "DELETE":
            document.pop(name, None)
            self.runtime.store.save(f"s3/{bucket}", document)
            return empty(204)
        if name not in document and name != "versioning":
            raise ServiceError(f"NoSuch{name[0].upper()}{name[1:]}", f"no {name} configuration", 404)
        return xml(document.get(name, f"<VersioningConfiguration {NAMESPACE}/>"))

    # Files

    def _bucket(self, name: str) -> Path:
        folder = self.root / name
        if "/" in name or name in ("", ".", "..") or not folder.is_dir():
            raise ServiceError("NoSuchBucket", f"The specified bucket does not exist: {name}", 404)
        return folder

    def _path(self, bucket: str, key: str) -> Path:
        parts = key.split("/")
        if ".." in parts or "." in parts or "" in parts[:-1] or len(key.encode()) > 1024 or "\0" in key:
            raise ServiceError(
                "InvalidArgument", f"the embedded S3 keeps objects as files and cannot hold the key {key!r}"
            )
        return self._bucket(bucket) / key

    def _existing(self, bucket: str, key: str) -> Path:
        path = self._path(bucket, key)
        if not path.is_file():
            raise ServiceError("NoSuchKey", f"The specified key does not exist: {key}", 404)
        return path

    def _write(self, bucket: str, key: str, content: Any) -> str:
        path = self._path(bucket, key)
        staged = self.root.parent / "uploads" / f"put-{secrets.token_hex(8)}"
        staged.parent.mkdir(parents=True, exist_ok=True)
        try:
            with staged.open("wb") as file:
                for chunk in content:
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(staged, 0o644)
            tag = _etag(staged)
            with self.places:
                path.parent.mkdir(parents=True, exist_ok=True)
                os.replace(staged, path)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise ServiceError(
                "InvalidArgument", f"{key!r} is beside a key that would be its folder"
            ) from None
        except OSError as error:
            raise ServiceError("InternalError", f"cannot write {key}: {error.strerror}", 507) from error
        finally:
            staged.unlink(missing_ok=True)
        return tag

    def _remove(self, bucket: str, key: str) -> None:
        path = self._path(bucket, key)
        with self.places:
            self._unlink(path, bucket)

    def _unlink(self, path: Path, bucket: str) -> None:
        if not path.is_file():
            return
        path.unlink()
        for folder in path.parents:  # a prefix exists only as long as a key has it
            if folder == self.root / bucket:
                break
            with contextlib.suppress(OSError):
                folder.rmdir()
                continue
            break

    def _keys(self, folder: Path, prefix: str) -> Iterator[str]:
        start = folder / prefix.rpartition("/")[0] if "/" in prefix else folder
        for parent, folders, files in os.walk(start):
            folders.sort()
            relative = os.path.relpath(parent, folder)
            head = "" if relative == "." else f"{relative}/"
            for name in files:
                if not name.endswith(".crc") and f"{head}{name}".startswith(prefix):
                    yield f"{head}{name}"

    def _list(self, bucket: str, params: dict[str, str]) -> dict[str, Any]:
        folder = self._bucket(bucket)
        prefix, delimiter = params.get("Prefix", ""), params.get("Delimiter", "")
        after = params.get("ContinuationToken") or params.get("StartAfter", "")
        limit = int(params.get("MaxKeys", 1000))
        entries: list[tuple[str, bool]] = []
        seen: set[str] = set()
        for key in sorted(self._keys(folder, prefix)):
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            name, grouped = (key[: cut + len(delimiter)], True) if cut >= 0 else (key, False)
            if name > after and name not in seen and not (after and name.startswith(after) and grouped):
                seen.add(name)
                entries.append((name, grouped))
        page, more = entries[:limit], len(entries) > limit
        contents = [_entry(folder / name, name) for name, grouped in page if not grouped]
        return {
            "Contents": [entry for entry in contents if entry],
            "CommonPrefixes": [{"Prefix": name} for name, grouped in page if grouped],
            "KeyCount": len(page),
            "IsTruncated": more,
            **({"NextContinuationToken": page[-1][0]} if more else {}),
        }


def _entry(path: Path, key: str) -> dict[str, Any]:
    try:
        return {"Key": key, "Size": path.stat().st_size, "LastModified": _modified(path), "ETag": _etag(path)}
    except FileNotFoundError:
        return {}  # deleted while it was listed


def _etag(path: Path) -> str:
    facts = path.stat()
    return (
        f'"{hashlib.md5(f"{facts.st_size}-{facts.st_mtime_ns}".encode(), usedforsecurity=False).hexdigest()}"'
    )


def _modified(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _range(match: re.Match[str], size: int) -> tuple[int, int]:
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size - 1
    if int(first) >= size:
        raise ServiceError("InvalidRange", "The requested range is not satisfiable", 416)
    return int(first), min(int(last), size - 1) if last else size - 1


def _read(path: Path, first: int, last: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(first)
        left = last - first + 1
        while left > 0 and (chunk := file.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk
