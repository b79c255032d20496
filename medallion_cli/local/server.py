"""The daemon: every service of one environment behind one loopback port.

python -m medallion_cli.local.server --state DIR --cache DIR --region REGION
"""

from __future__ import annotations

import argparse
import fcntl
import importlib
import json
import logging
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medallion_cli.local import protocol
from medallion_cli.local.engines.processes import free_port, write_pidfile
from medallion_cli.local.protocol import Service, ServiceError
from medallion_cli.local.runtime import Credentials, Runtime
from medallion_cli.local.state import write_file
from medallion_cli.local.surroundings import Surroundings, program

log = logging.getLogger("medallion")
FOLDER_SECONDS = 5.0  # between looks whether the state folder is still there

# In starting order: what later ones call comes first.
SERVICES = (
    "services.logs",
    "services.s3",
    "services.secretsmanager",
    "services.ssm",
    "services.sns",
    "services.cloudwatch",
    "services.sts",
    "services.iam",
    "services.kms",
    "services.rds",
    "services.redshift_serverless",
    "services.redshift_data",
    "services.lambda_",
    "services.dms",
    "services.glue",
    "services.stepfunctions",
    "services.scheduler",
    "cloudformation.service",
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--region", required=True)
    parser.add_argument("--options", default="{}")
    options = parser.parse_args(arguments)
    os.umask(0o022)
    lock = _lock(options.state)
    _log_to(options.state / "logs" / "daemon.log")
    runtime = load(options.state, options.cache, options.region, json.loads(options.options))
    serve(runtime)
    lock.close()


def load(state: Path, cache: Path, region: str, options: dict[str, str]) -> Runtime:
    """The runtime with every service, not yet started."""
    facts = _facts(state)
    endpoint = f"http://127.0.0.1:{facts['port']}"
    keys = Credentials(facts["access_key"], facts["secret_key"])
    runtime = Runtime(state, cache, region, endpoint, keys, options)
    for name in SERVICES:
        service: Service = importlib.import_module(f"medallion_cli.local.{name}").create(runtime)
        runtime.services[service.name] = service
    return runtime


def serve(runtime: Runtime) -> None:
    """Answers requests, starts the services, waits for a signal or the end of its folder, stops them."""
    from werkzeug.serving import make_server

    port = int(runtime.endpoint.rpartition(":")[2])
    surroundings = Surroundings(runtime)
    surroundings.settle()
    surroundings.follow()
    application = Application(runtime, surroundings)
    server = make_server("127.0.0.1", port, application, threaded=True, request_handler=_quiet())
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    started: list[Service] = []
    pidfile = runtime.state / "daemon.pid"
    try:
        for service in runtime.services.values():
            began = time.monotonic()
            started.append(service)
            service.start()
            log.info("%s started in %.2f s", service.name, time.monotonic() - began)
        _ready(runtime)
        while not ended.wait(FOLDER_SECONDS) and pidfile.exists():
            pass
    finally:
        if (
            not pidfile.exists()
        ):  # somebody removed the folder: engines, which end with this, may wait for their files for ever
            threading.Timer(FOLDER_SECONDS, os._exit, [1]).start()
        (runtime.state / "daemon.json").unlink(missing_ok=True)
        for service in reversed(started):
            _stop(service)
        server.shutdown()


def _stop(service: Service) -> None:
    try:
        service.stop()
    except Exception:
        log.exception("%s did not stop cleanly", service.name)


def _ready(runtime: Runtime) -> None:
    facts: dict[str, Any] = {"pid": os.getpid(), "endpoint": runtime.endpoint, **vars(runtime.credentials)}
    facts["program"] = program()
    write_file(runtime.state / "daemon.json", json.dumps(facts).encode())


def _facts(state: Path) -> dict[str, Any]:
    """Port and keys, made once; another port only when something else has taken it."""
    path = state / "endpoint.json"
    facts: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    if not facts:
        facts = {"access_key": f"AKIA{secrets.token_hex(8).upper()}", "secret_key": secrets.token_urlsafe(30)}
    if not bindable(facts.get("port", 0)):
        facts["port"] = free_port()
    write_file(path, json.dumps(facts).encode())
    return facts


def bindable(port: int) -> bool:
    """Whether a loopback port is free."""
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return port != 0


def _lock(state: Path) -> Any:
    """One daemon a state folder: a second one exits at once."""
    state.mkdir(parents=True, exist_ok=True)
    file = (state / "daemon.lock").open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit("another daemon serves this environment")
    write_pidfile(state / "daemon.pid", os.getpid())
    return file


def _log_to(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        filename=path, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True
    )
    for name in ("botocore", "boto3", "urllib3", "werkzeug", "py4j"):
        logging.getLogger(name).setLevel(logging.WARNING)


class Application:
    """WSGI: finds the service and operation of a request, calls it, answers in its protocol."""

    def __init__(self, runtime: Runtime, surroundings: Surroundings) -> None:
        self.runtime = runtime
        self.surroundings = surroundings

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        from werkzeug.wrappers import Request, Response

        self.surroundings.follow()
        request = Request(environ)
        key = f"Credential={self.runtime.credentials.access_key}/"
        if key not in request.headers.get("Authorization", ""):
            return Response("<Error><Code>InvalidClientTokenId</Code></Error>", 403)(environ, start_response)
        service = protocol.service_of(request.headers)
        if service == "s3":
            return self.runtime.services["s3"].respond(request)(environ, start_response)  # type: ignore[attr-defined]
        status, headers, body = self._answer(service or "", request)
        return Response(body, status, headers)(environ, start_response)

    def _answer(self, service: str, request: Any) -> tuple[int, dict[str, str], Any]:
        if service not in self.runtime.services:
            return protocol.absent(service)
        operation = ""
        try:
            operation, params = protocol.parse(service, request)
            return protocol.serialise(service, operation, self.runtime.call(service, operation, **params))
        except ServiceError as error:
            return protocol.serialise(service, operation, error)
        except Exception as error:
            log.exception("%s %s", service, operation)
            return protocol.serialise(service, operation, ServiceError("InternalFailure", repr(error), 500))


def _quiet() -> Any:
    from werkzeug.serving import WSGIRequestHandler

    class Quiet(WSGIRequestHandler):
        """Keeps connections open and logs nothing."""

        protocol_version = "HTTP/1.1"

        def log_request(self, *_: Any, **__: Any) -> None:
            pass

    return Quiet


if __name__ == "__main__":
    main()
