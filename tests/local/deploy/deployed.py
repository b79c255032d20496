"""One environment of the tests' own, stood up from a project folder whose templates can be made to fail."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from medallion_cli.assets import Assets
from medallion_cli.aws.session import Target
from medallion_cli.errors import AwsError, MedallionError
from medallion_cli.events import Event
from medallion_cli.local import lifecycle
from medallion_cli.operations import package
from medallion_cli.operations.deployment import apply, change_sets, code
from medallion_cli.operations.lock import hold
from medallion_cli.operations.seed import seed as sow
from medallion_cli.settings import Settings, load_settings
from medallion_cli.spec import Pipeline, load_pipeline

ROOT = Path(__file__).parents[3]
PREFIX = "retail-local"
# Nothing but the service itself refuses it: the function's code is not there.
FAULTY = """
  Faulty:
    Type: AWS::Lambda::Function
    DependsOn: {after}
    Properties:
      Runtime: python3.12
      Handler: nowhere.handler
      Role: arn:aws:iam::000000000000:role/nobody
      Code: {{S3Bucket: retail-nowhere, S3Key: none.zip}}
"""


@dataclass
class Environment:
    """`home` holds its state, `project` the templates that differ from the shipped ones."""

    home: Path
    project: Path
    known: Target | None = None

    @property
    def state(self) -> Path:
        return self.home / PREFIX

    @cached_property
    def assets(self) -> Assets:
        return Assets.find(self.project)

    @cached_property
    def pipeline(self) -> Pipeline:
        return load_pipeline(self.assets)

    @property
    def settings(self) -> Settings:
        return load_settings("local", self.assets).model_copy(update={"prefix": PREFIX})

    @property
    def target(self) -> Target:
        """Its AWS; started, or recovered, when it is not there."""
        found = lifecycle.ensure(self.state, region="us-east-1", notify=lambda _: None)
        if self.known is None or self.known.endpoint_url != found.url:
            self.close()
            self.known = Target(self.settings, found.url, found.credentials)
        return self.known

    def close(self) -> None:
        if self.known is not None:
            self.known.close()

    # ---- the project

    def break_(self, stack: str, middle: str) -> None:
        """A resource of the stack that fails, after one in the middle."""
        text = (ROOT / "infra_templates" / f"{stack}.yaml").read_text()
        head, outputs = text.split("\nOutputs:", 1)
        file = self.project / "infra_templates" / f"{stack}.yaml"
        file.write_text(head + FAULTY.format(after=middle) + "\nOutputs:" + outputs)

    def mend(self, stack: str) -> None:
        (self.project / "infra_templates" / f"{stack}.yaml").unlink()

    # ---- up

    def up(self, **how: Any) -> list[Event]:
        """In this process; its events."""
        target = self.target
        steps = apply.deploy(target, self.settings, self.pipeline, self.assets, **how)
        return list(hold(target, "up", steps))

    def pending(self) -> list[Any]:
        """What a plan would change: (stack, resource), or a line about a database."""
        from medallion_cli.operations.deployment.plan import plan

        steps = plan(self.target, self.settings, self.pipeline, self.assets)
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                found = stop.value
                return [*((c.stack, c.resource) for c in found.changes), *found.databases]

    def command(self, *words: str) -> subprocess.Popen[str]:
        """The command line in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "medallion_cli.cli", "--project", str(self.project), *words],
            env={**os.environ, "MEDALLION_STATE_HOME": str(self.home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: str) -> str:
        process = self.command(*words)
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0, out
        return out

    def only(self, part: str) -> list[Event]:
        """`up --only`, in this process."""
        given = (self.settings, self.pipeline, self.assets)
        return list(code.only(part, self.target, self.outputs(), *given))

    def seed(self, rows: int = 0, changes: int = 0, seed: int = 1) -> None:
        list(sow(self.target, self.outputs(), self.settings, self.pipeline, rows, changes, seed))

    def beside(self, work: Callable[..., Any], **given: Any) -> BaseProcess:
        """`work` in a process of its own that need not import anything first."""
        process = get_context("fork").Process(target=self._quietly, args=(work, given), daemon=True)
        process.start()
        return process

    def _quietly(self, work: Callable[..., Any], given: dict[str, Any]) -> None:
        self.close()  # this process's; the connections of its parent are not for two
        try:
            work(**given)
        except MedallionError:
            os._exit(1)

    def kill_daemon(self) -> None:
        os.kill(int((self.state / "daemon.pid").read_text().split()[0]), signal.SIGKILL)

    # ---- what is there

    def outputs(self) -> dict[str, str]:
        return change_sets.prepare(self.target, self.settings, self.pipeline, self.assets).outputs()

    def statuses(self) -> dict[str, str]:
        found = self.target.client("cloudformation").describe_stacks()["Stacks"]
        return {s["StackName"].removeprefix(f"{PREFIX}-"): s["StackStatus"] for s in found}

    def until_begun(self, stack: str) -> None:
        """Until a stack's operation is under way or done."""
        client, deadline = self.target.client("cloudformation"), time.monotonic() + 60
        while True:
            try:
                found = client.describe_stacks(StackName=f"{PREFIX}-{stack}")["Stacks"][0]["StackStatus"]
            except AwsError:
                found = ""
            if found.startswith(("CREATE_", "UPDATE_")):
                return
            assert time.monotonic() < deadline, found
            time.sleep(0.01)

    def source(self) -> Any:
        """A connection to its database."""
        import pymysql

        arn = self.outputs()["SourceSecretArn"]
        found = self.target.client("secretsmanager").get_secret_value(SecretId=arn)
        secret = json.loads(found["SecretString"])
        login = {"user": secret["username"], "password": secret["password"], "database": "shop"}
        return pymysql.connect(host=secret["host"], port=int(secret["port"]), **login)

    def bronze(self, table: str, key: list[str]) -> dict[tuple[Any, ...], Any]:
        """(key → updated_at) of the rows that bronze's files leave, in the order of their changes."""
        folder = self.state / "objects" / self.outputs()["BronzeBucket"] / "g0001" / "shop" / table
        rows = [row for file in sorted(folder.rglob("*.parquet")) for row in _rows(file)]
        left: dict[tuple[Any, ...], Any] = {}
        for row in sorted(rows, key=lambda row: row["dms_change_seq"] or ""):
            if row["Op"] == "U":
                left.pop(tuple(row[f"BI_{name}"] for name in key), None)
            if row["Op"] == "D":
                left.pop(tuple(row[name] for name in key), None)
            else:
                left[tuple(row[name] for name in key)] = row["updated_at"]
        return left


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq

    yield from pq.ParquetFile(file).read().to_pylist()


class Builds:
    """Packages by the project's files: most of what is brought here is the same as the time before."""

    def __init__(self) -> None:
        self.known: dict[Any, package.Package] = {}
        self.build = package.build

    def __call__(self, pipeline: Pipeline, assets: Assets, settings: Settings) -> package.Package:
        files = (path for path in assets.project.rglob("*") if path.is_file())
        key = tuple(sorted((str(path), path.stat().st_mtime_ns) for path in files))
        if key not in self.known:
            self.known[key] = self.build(pipeline, assets, settings)
        return self.known[key]
