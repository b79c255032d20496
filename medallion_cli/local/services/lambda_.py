"""Lambda: the function's own zip, run in a process with Lambda's environment, limits and log group."""

from __future__ import annotations

import base64
import compileall
import hashlib
import io
import json
import shutil
import subprocess
import threading
import time
import uuid
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion_cli.local.protocol import Service, ServiceError
from medallion_cli.local.services.lambda_environments import Environments, Plan, end
from medallion_cli.local.space import shortage

if TYPE_CHECKING:
    from medallion_cli.local.runtime import Runtime

KEPT = (
    "FunctionName", "Runtime", "Role", "Handler", "Description", "Timeout", "MemorySize", "Environment", "VpcConfig",
    "Architectures", "TracingConfig", "KMSKeyArn", "Layers", "EphemeralStorage", "LoggingConfig", "PackageType",
)  # fmt: skip

_LOOK_SECONDS, _FULL_LOOKS = 1.0, 4  # a disk that is full this many looks on end is told


def create(runtime: Runtime) -> Service:
    """The service."""
    return Lambda(runtime)


class Lambda(Service):
    """AWS Lambda."""

    name = "lambda"

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.lock = threading.Lock()
        self.environments = Environments()

    def stop(self) -> None:
        """Ends environments that wait for an event; what works ends with the daemon."""
        self.environments.close()

    def create_function(self, params: dict[str, Any]) -> dict[str, Any]:
        """Unpacks the code and keeps the configuration."""
        name = params["FunctionName"]
        code = self._unpack(params["Code"])
        with self.runtime.store.changing("lambda", {}) as functions:
            if name in functions:
                raise ServiceError("ResourceConflictException", f"Function already exist: {name}", 409)
            functions[name] = {k: params[k] for k in KEPT if k in params} | code | _modified()
        return self._shown(functions[name])

    def get_function(self, params: dict[str, Any]) -> dict[str, Any]:
        """Configuration and where the code is."""
        return {
            "Configuration": self._shown(self._function(params["FunctionName"])),
            "Code": {"RepositoryType": "S3"},
        }

    def get_function_configuration(self, params: dict[str, Any]) -> dict[str, Any]:
        """Configuration."""
        return self._shown(self._function(params["FunctionName"]))

    def list_functions(self, params: dict[str, Any]) -> dict[str, Any]:
        """All of them."""
        return {"Functions": [self._shown(f) for f in self._functions().values()]}

    def update_function_code(self, params: dict[str, Any]) -> dict[str, Any]:
        """New code for the invocations to come."""
        name = self._function(params["FunctionName"])["FunctionName"]
        code = self._unpack(params)
        return self._change(name, code)

    def update_function_configuration(self, params: dict[str, Any]) -> dict[str, Any]:
        """New configuration for the invocations to come."""
        name = self._function(params["FunctionName"])["FunctionName"]
        return self._change(name, {k: params[k] for k in KEPT if k in params and k != "FunctionName"})

    def delete_function(self, params: dict[str, Any]) -> dict[str, Any]:
        """Forgets it."""
        name = self._function(params["FunctionName"])["FunctionName"]
        with self.runtime.store.changing("lambda", {}) as functions:
            functions.pop(name, None)
        self.environments.drop(name)
        return {}

    def put_function_concurrency(self, params: dict[str, Any]) -> dict[str, Any]:
        """Kept by CloudFormation; one machine does not enforce it."""
        return {"ReservedConcurrentExecutions": params["ReservedConcurrentExecutions"]}

    def invoke(self, params: dict[str, Any]) -> dict[str, Any]:
        """Runs the handler; an exception of its own is a FunctionError, as on AWS."""
        function = self._function(params["FunctionName"])
        payload = params.get("Payload") or b"{}"
        content = payload.read() if hasattr(payload, "read") else payload
        if isinstance(content, str):
            content = content.encode()
        if params.get("InvocationType") == "Event":
            threading.Thread(target=self._run, args=(function, content), daemon=True).start()
            return {"StatusCode": 202, "Payload": b""}
        failed, answer = self._run(function, content)
        return {
            "StatusCode": 200,
            "ExecutedVersion": "$LATEST",
            "Payload": answer,
            **({"FunctionError": "Unhandled"} if failed else {}),
        }

    def _run(self, function: dict[str, Any], payload: bytes) -> tuple[bool, bytes]:
        request = uuid.uuid4().hex
        group = f"/aws/lambda/{function['FunctionName']}"
        log = self.runtime.log(group, f"{datetime.now(UTC):%Y-%m-%d}")
        timeout = function.get("Timeout", 3)
        variables = tuple(sorted(self._environment(function, group).items()))
        plan = Plan(Path(function["folder"]), function["Handler"], variables, log)
        process = self.environments.take(function["FunctionName"], plan)
        head = json.dumps({"request": request, "timeout": timeout}).encode()
        try:
            answer = self._awaited(process, head + b"\n" + payload, timeout)
        except _OutOfSpace as full:
            end(process)
            return True, _full(str(full))
        except subprocess.TimeoutExpired:
            end(process)
            message = f"{request} Task timed out after {timeout:.2f} seconds"
            return True, json.dumps({"errorType": "Sandbox.Timedout", "errorMessage": message}).encode()
        threading.Thread(
            target=self.environments.prepare, args=[function["FunctionName"], plan], daemon=True
        ).start()
        kind, _, body = answer.partition(b"\n")
        if kind not in (b"result", b"error") and (short := shortage(self.runtime.state)):
            return True, _full(short)
        if kind not in (b"result", b"error"):
            message = f"RequestId: {request} Error: Runtime exited with code {process.returncode}"
            return True, json.dumps({"errorType": "Runtime.ExitError", "errorMessage": message}).encode()
        return kind == b"error", body

    def _awaited(self, process: subprocess.Popen[bytes], payload: bytes, timeout: float) -> bytes:
        """What the function writes; TimeoutExpired after `timeout` seconds.

        _OutOfSpace when the disk has been full for a while: a database then waits for space without a word, and
        the function with it.
        """
        deadline, full, given = time.monotonic() + timeout, 0, payload
        while True:
            try:
                answer: bytes = process.communicate(given, timeout=min(_LOOK_SECONDS, timeout))[0]
            except subprocess.TimeoutExpired:
                given = None  # type: ignore[assignment]  # is sent once
                short = shortage(self.runtime.state)
                full = full + 1 if short else 0
                if full >= _FULL_LOOKS:
                    raise _OutOfSpace(short) from None
                if time.monotonic() >= deadline:
                    raise
            else:
                return answer

    def _environment(self, function: dict[str, Any], group: str) -> dict[str, str]:
        own = function.get("Environment", {}).get("Variables", {})
        return {
            **self.runtime.environment(),
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": function["folder"],
            "PYTHONDONTWRITEBYTECODE": "1",
            "LAMBDA_TASK_ROOT": function["folder"],
            "AWS_LAMBDA_FUNCTION_NAME": function["FunctionName"],
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.get("MemorySize", 128)),
            "AWS_LAMBDA_LOG_GROUP_NAME": group,
            "TZ": ":UTC",
            **own,
        }

    def _unpack(self, code: dict[str, Any]) -> dict[str, Any]:
        content = code.get("ZipFile")
        if content is None:
            found = self.runtime.call("s3", "GetObject", Bucket=code["S3Bucket"], Key=code["S3Key"])
            content = found["Body"]
        digest = hashlib.sha256(content).digest()
        folder = self.runtime.state / "functions" / digest.hex()[:32]
        if not folder.exists():
            staged = folder.with_name(f"{folder.name}.{uuid.uuid4().hex}")
            try:
                zipfile.ZipFile(io.BytesIO(content)).extractall(staged)
            except zipfile.BadZipFile:
                raise ServiceError(
                    "InvalidParameterValueException", "Could not unzip uploaded file."
                ) from None
            # Once, and not at every invocation.
            compileall.compile_dir(staged, quiet=2, stripdir=str(staged), prependdir=str(folder))
            with self.lock:
                if not folder.exists():
                    staged.rename(folder)
            shutil.rmtree(staged, ignore_errors=True)  # somebody else was first
        return {
            "folder": str(folder),
            "CodeSha256": base64.b64encode(digest).decode(),
            "CodeSize": len(content),
        }

    def _functions(self) -> dict[str, Any]:
        functions: dict[str, Any] = self.runtime.store.load("lambda", {})
        return functions

    def _function(self, name: str) -> dict[str, Any]:
        plain = name.split(":function:")[-1].split(":")[0]
        functions = self._functions()
        if plain not in functions:
            raise ServiceError("ResourceNotFoundException", f"Function not found: {name}", 404)
        found: dict[str, Any] = functions[plain]
        return found

    def _change(self, name: str, new: dict[str, Any]) -> dict[str, Any]:
        with self.runtime.store.changing("lambda", {}) as functions:
            functions[name].update(new | _modified())
        return self._shown(functions[name])

    def _shown(self, function: dict[str, Any]) -> dict[str, Any]:
        arn = (
            f"arn:aws:lambda:{self.runtime.region}:{self.runtime.account}:function:{function['FunctionName']}"
        )
        kept = {k: v for k, v in function.items() if k != "folder"}
        return {
            **kept,
            "FunctionArn": arn,
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "Version": "$LATEST",
        }


class _OutOfSpace(Exception):
    """The disk is full; the text is what is told of it."""


def _full(message: str) -> bytes:
    """The failure of a function that the full disk is the cause of."""
    return json.dumps({"errorType": "MedallionError", "errorMessage": message}).encode()


def _modified() -> dict[str, str]:
    return {"LastModified": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")}
