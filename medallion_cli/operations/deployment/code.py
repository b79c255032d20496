"""Code without CloudFormation: Glue scripts and functions are pointed at what the project holds now.

An artefact's key is known by its file name, and only the hash in it changes (`code/<kind>/<hash>/<name>`). `up` ends with
the same step: what `--only` made another than a stack's own parameters is brought to what the project says, whichever that is.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Finished, Noted, Started
from medallion_cli.operations.package import Artefact, Package, upload

if TYPE_CHECKING:
    from medallion_cli.assets import Assets
    from medallion_cli.aws.session import Target
    from medallion_cli.settings import Settings
    from medallion_cli.spec import Pipeline

PARTS = ("sql", "scripts", "lambda")
FUNCTION_SECONDS = 300.0  # for a function to take its new code
KEY = re.compile(r"code/[a-z]+/[0-9a-f]{16}/([\w.]+)")
UNTOUCHED = (
    "Name",
    "CreatedOn",
    "LastModifiedOn",
    "AllocatedCapacity",
    "MaxCapacity",
    "ProfileName",
)  # of JobUpdate


def only(
    part: str, target: Target, found: dict[str, str], settings: Settings, pipeline: Pipeline, assets: Assets
) -> Generator[Event, None, None]:
    """One part of the code of an environment that is up: `sql`, `scripts` or `lambda`.

    With the first the warehouse's tables and procedures, with the last the source's tables and users are looked at, whatever
    was done before: this brings back what somebody has dropped.
    """
    from medallion_cli.operations.bootstrap import bootstrap_source, bootstrap_warehouse
    from medallion_cli.operations.package import build

    if part == "sql":
        yield from bootstrap_warehouse(target, found, settings, pipeline, assets, again=True)
        return
    package = build(pipeline, assets, settings)
    yield Noted(f"{upload(target, found['ArtifactsBucket'], package)} artefacts uploaded")
    if part == "scripts":
        yield from bring_scripts(target, found, package)
        return
    yield from bring_functions(target, found, package)
    yield from bootstrap_source(target, found, package, pipeline, again=True)


def bring(target: Target, found: dict[str, str], package: Package) -> Generator[Event, None, None]:
    """All code that CloudFormation knows; silent where it is what the project says."""
    yield from bring_scripts(target, found, package, quiet=True)
    yield from bring_functions(target, found, package, quiet=True)


def bring_scripts(
    target: Target, found: dict[str, str], package: Package, *, quiet: bool = False
) -> Generator[Event, None, None]:
    """Points every Glue job at the scripts, the shared code and the specification of the project."""
    for job in _named(found, "Job"):
        live = target.client("glue").get_job(JobName=job)["Job"]
        wanted = pointed(live, package)
        if wanted != live:
            yield Started(job)
            update = {k: v for k, v in wanted.items() if k not in UNTOUCHED and v is not None}
            target.client("glue").update_job(JobName=job, JobUpdate=update)
            yield Finished(job, "scripts updated")
        elif not quiet:
            yield Finished(job, "unchanged")


def bring_functions(
    target: Target, found: dict[str, str], package: Package, *, quiet: bool = False
) -> Generator[Event, None, None]:
    """Gives every function the zip of the project."""
    zipped = _artefact(package, "SourceCodeKey")
    for function in _named(found, "FunctionName"):
        if not _is_stale(target, function, zipped):
            if not quiet:
                yield Finished(function, "unchanged")
            continue
        yield Started(function)
        target.client("lambda").update_function_code(
            FunctionName=function, S3Bucket=found["ArtifactsBucket"], S3Key=zipped.key
        )
        _await_function(target, function)
        yield Finished(function, "code updated")


def stale(target: Target, found: dict[str, str], package: Package) -> dict[str, bool]:
    """Physical names of jobs and functions, and whether their code is another one than the project's."""
    jobs = {job: target.client("glue").get_job(JobName=job)["Job"] for job in _named(found, "Job")}
    zipped = _artefact(package, "SourceCodeKey")
    functions = {name: _is_stale(target, name, zipped) for name in _named(found, "FunctionName")}
    return {job: pointed(live, package) != live for job, live in jobs.items()} | functions


def pointed(definition: dict[str, Any], package: Package) -> dict[str, Any]:
    """A job's definition with the keys of the project's artefacts; timestamps stay what they are."""
    keys = {artefact.key.rpartition("/")[2]: artefact.key for artefact in package.artefacts}
    changed: dict[str, Any] = {}
    for name in ("Command", "DefaultArguments"):
        if name in definition:
            text = KEY.sub(lambda m: keys.get(m[1], m[0]), json.dumps(definition[name]))
            changed[name] = json.loads(text)
    return definition | changed


def _is_stale(target: Target, function: str, zipped: Artefact) -> bool:
    live = target.client("lambda").get_function_configuration(FunctionName=function)["CodeSha256"]
    return bool(live != base64.b64encode(hashlib.sha256(zipped.content).digest()).decode())


def _await_function(target: Target, function: str) -> None:
    deadline = time.monotonic() + FUNCTION_SECONDS
    client = target.client("lambda")
    while True:
        found = client.get_function_configuration(FunctionName=function)
        match found.get("LastUpdateStatus", "Successful"):
            case "Successful":
                return
            case "Failed":
                raise MedallionError(
                    f"{function}: {found.get('LastUpdateStatusReason')}", hint="medallion up"
                )
        if time.monotonic() > deadline:
            raise MedallionError(f"{function} does not take its code", hint="medallion up --only lambda")
        time.sleep(1)


def _named(found: dict[str, str], suffix: str) -> list[str]:
    return [value for name, value in sorted(found.items()) if name.endswith(suffix)]


def _artefact(package: Package, parameter: str) -> Artefact:
    return next(a for a in package.artefacts if a.parameter == parameter)
