"""Where a secret could be read by somebody who should not: command lines, logs, files, answers of the services."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from command_line import Medallion

PAUSE = 0.1  # seconds between looks at the processes
PUBLIC_PARTS = {"username", "host", "port", "engine", "dbname", "dbInstanceIdentifier", "database"}


class CommandLines:
    """Every command line that any process has had, as `ps` shows them to everybody."""

    def __init__(self) -> None:
        self.seen: dict[str, str] = {}  # command line → the parts of the environment that others may read
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> CommandLines:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(PAUSE):
            for folder in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    line = (folder / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
                    if line and line not in self.seen:
                        self.seen[line] = _environment(folder / "environ")


def _environment(path: Path) -> str:
    """What the kernel shows to others, which it does not unless somebody asks it to."""
    return path.read_text(errors="replace") if path.stat().st_mode & stat.S_IROTH else ""


def secrets(tool: Medallion) -> dict[str, str]:
    """Every secret value there is, by where it is kept: Secrets Manager's, and the environment's own keys."""
    client = tool.client("secretsmanager")
    found: dict[str, str] = {}
    for page in client.get_paginator("list_secrets").paginate():
        for entry in page["SecretList"]:
            value = client.get_secret_value(SecretId=entry["ARN"])["SecretString"]
            document = json.loads(value)
            for name, part in document.items():
                if name not in PUBLIC_PARTS:
                    found[f"{entry['Name']} {name}"] = str(part)
    facts = json.loads((tool.state / "daemon.json").read_text())
    found["the environment's secret access key"] = facts["secret_key"]
    return found


def readable_files(root: Path) -> Iterator[Path]:
    """Files that every user of the machine can read, and reach."""
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = [name for name in folders if (here / name).stat().st_mode & stat.S_IXOTH]
        for name in names:
            path = here / name
            with contextlib.suppress(OSError):
                if path.is_file() and not path.is_symlink() and path.stat().st_mode & stat.S_IROTH:
                    yield path


def logs(root: Path) -> Iterator[Path]:
    """Log files, whoever may read them."""
    for path in root.rglob("*"):
        with contextlib.suppress(OSError):
            if path.is_file() and (path.suffix in (".log", ".out", ".err") or "logs" in path.parts):
                yield path


def answers(tool: Medallion) -> Iterator[tuple[str, str]]:
    """(what was asked, the answer as text) of what an operator may see of stacks, functions, endpoints, jobs and runs."""
    stacks = tool.client("cloudformation")
    for stack in stacks.describe_stacks()["Stacks"]:
        yield f"stack {stack['StackName']}", _text(stack)
        yield (
            f"template {stack['StackName']}",
            _text(stacks.get_template(StackName=stack["StackName"])["TemplateBody"]),
        )
        events = stacks.describe_stack_events(StackName=stack["StackName"])["StackEvents"]
        yield f"events {stack['StackName']}", _text(events)
    yield "functions", _text(tool.client("lambda").list_functions()["Functions"])
    yield "endpoints", _text(tool.client("dms").describe_endpoints()["Endpoints"])
    yield "jobs", _text(tool.client("glue").get_jobs()["Jobs"])
    yield "instances", _text(tool.client("rds").describe_db_instances()["DBInstances"])
    for command in ("outputs", "status"):
        said, told = tool.start("--output", "json", command).communicate(
            timeout=300
        )  # 3 where it found something
        yield command, said + told
    machine = tool.client("stepfunctions")
    arn = tool.json("outputs")["StateMachineArn"]
    for run in machine.list_executions(stateMachineArn=arn)["executions"]:
        yield (
            f"run {run['name']}",
            _text(machine.get_execution_history(executionArn=run["executionArn"])["events"]),
        )


def leaks(tool: Medallion, lines: CommandLines) -> list[str]:
    """Which secret is to be read where; empty as it should be."""
    values = secrets(tool)
    processes = [(f"process {line[:80]}", line + environment) for line, environment in lines.seen.items()]
    places = [*answers(tool), *processes]
    found = [
        f"{name} in {place}" for place, text in places for name, value in values.items() if value in text
    ]
    return found + leaks_in_files(tool, values)


def leaks_in_files(tool: Medallion, values: dict[str, str]) -> list[str]:
    """Which of these values is in a file that all may read, or in any log."""
    found = []
    for path in dict.fromkeys([*readable_files(tool.state), *logs(tool.state)]):
        content = path.read_bytes()
        found += [f"{name} in {path}" for name, value in values.items() if value.encode() in content]
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
