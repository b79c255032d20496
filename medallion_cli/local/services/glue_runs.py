"""Runs of Glue jobs on the local Spark: the script from its bucket, unchanged, in a process of its own."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from medallion_cli.errors import MedallionError
from medallion_cli.local.engines import spark_job
from medallion_cli.local.engines.processes import spawn
from medallion_cli.local.engines.spark import Jvm, job_settings

if TYPE_CHECKING:
    from medallion_cli.local.runtime import Runtime

_LOGS = "/aws-glue/jobs"  # of output and error, where no --custom-logGroup-prefix says otherwise
_LEAST_BYTES = 16 << 20
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "JAVA_HOME")
_OF_GLUE = ("--conf", "--extra-py-files")  # read here; everything else goes to the script, as on Glue


@dataclass(frozen=True)
class Outcome:
    """What a run has become: RUNNING, SUCCEEDED, FAILED, STOPPED or TIMEOUT."""

    state: str
    error: str | None = None


class SparkRuns:
    """Takes runs one at a time: there is one warm JVM, and it has one Spark context."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._folder = runtime.state / "engines" / "spark"
        self._jvm = Jvm(self._folder)
        self._turn = threading.Lock()
        self._guard = threading.Lock()
        self._live: dict[str, subprocess.Popen[Any]] = {}
        self._stopped: set[str] = set()
        self._closed = False

    def submit(
        self,
        run_id: str,
        job: Mapping[str, Any],
        arguments: dict[str, str],
        seconds: float,
        told: Callable[[Outcome], None],
    ) -> None:
        """Starts a run in the background; `told` hears RUNNING and then how it ended."""

        def work() -> None:
            with self._turn:
                told(self._run(run_id, job, arguments, seconds, told))

        threading.Thread(target=work, name=f"glue {run_id[:11]}", daemon=True).start()

    def stop_runs(self, run_ids: set[str]) -> None:
        """Ends runs, or keeps them from starting."""
        with self._guard:
            self._stopped |= run_ids
            for run_id in run_ids & set(self._live):
                self._live[run_id].kill()

    def stop(self) -> None:
        """Ends everything."""
        self._closed = True
        self.stop_runs(set(self._live))
        self._jvm.stop()

    def _run(
        self,
        run_id: str,
        job: Mapping[str, Any],
        arguments: dict[str, str],
        seconds: float,
        told: Callable[[Outcome], None],
    ) -> Outcome:
        if self._is_stopped(run_id):
            return Outcome("STOPPED")
        folder = self._folder / "runs" / run_id[:20]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return self._attached(run_id, folder, job, arguments, seconds, told)
        except (MedallionError, OSError) as error:
            return Outcome("FAILED", str(error))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _attached(
        self,
        run_id: str,
        folder: Path,
        job: Mapping[str, Any],
        arguments: dict[str, str],
        seconds: float,
        told: Callable[[Outcome], None],
    ) -> Outcome:
        command, environment = self._prepare(run_id, folder, job, arguments)
        with _appended(self._runtime, run_id, log_prefix(arguments)) as (out, err):
            with self._guard:
                process = spawn(
                    command, env=environment, cwd=folder, stdin=subprocess.PIPE, stdout=out, stderr=err
                )
                self._live[run_id] = process
            told(Outcome("RUNNING"))
            try:
                return self._awaited(run_id, process, folder / "error", seconds)
            finally:
                self._live.pop(run_id, None)

    def _awaited(self, run_id: str, process: subprocess.Popen[Any], error: Path, seconds: float) -> Outcome:
        """How the process ended; a JVM whose job was torn off holds a dead job's context, so it goes too."""
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            self._jvm.stop()
            return Outcome("TIMEOUT", f"the job ran longer than {seconds / 60:g} minutes")
        finally:
            if process.stdin:
                process.stdin.close()
        if code == 0:
            return Outcome("SUCCEEDED")
        if code != 1 or not error.exists():
            self._jvm.stop()
        if self._is_stopped(run_id):
            return Outcome("STOPPED")
        told = error.read_text() if error.exists() else ""
        return Outcome("FAILED", told or _untold(code, error.parent))

    def _prepare(
        self, run_id: str, folder: Path, job: Mapping[str, Any], arguments: dict[str, str]
    ) -> tuple[list[str], dict[str, str]]:
        """Command and environment; script and libraries are copied: deploying changes nothing meanwhile."""
        script = self._fetched(job["Command"]["ScriptLocation"], folder)
        libraries = arguments.get("--extra-py-files", "").split(",")
        python_path = [
            str(self._fetched(uri.strip(), folder / str(n))) for n, uri in enumerate(libraries) if uri.strip()
        ]
        settings = {"spark.app.name": str(job["Name"]), **dict(_settings(arguments.get("--conf", "")))}
        settings = job_settings(self._runtime.state / "objects", settings)
        given = {"--JOB_NAME": str(job["Name"]), "--JOB_RUN_ID": run_id} | arguments
        words = [word for name, value in given.items() if name not in _OF_GLUE for word in (name, value)]
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        environment = inherited | self._runtime.environment() | self._jvm.environment()
        environment |= {
            "PYTHONPATH": os.pathsep.join(python_path),
            "PYTHONUNBUFFERED": "1",
            "MEDALLION_SPARK_SETTINGS": json.dumps(settings),
            "MEDALLION_JOB_ERROR": str(folder / "error"),
        }
        return [sys.executable, str(spark_job.__file__), str(script), *words], environment

    def _fetched(self, uri: str, folder: Path) -> Path:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        source = self._runtime.object_path(bucket, key)
        if not source.is_file():
            raise MedallionError(f"{uri} does not exist", hint="medallion up")
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(source, folder / source.name))

    def _is_stopped(self, run_id: str) -> bool:
        return self._closed or run_id in self._stopped


def _untold(code: int, folder: Path) -> str:
    """Why a job failed that could not say so."""
    if shutil.disk_usage(folder).free < _LEAST_BYTES:
        return f"no space left on the disk of {folder}"
    return f"the job's process ended with {code}"


def log_prefix(arguments: Mapping[str, str]) -> str:
    """What a run's two log groups begin with (Glue 5: `<prefix>/output` and `<prefix>/error`)."""
    return arguments.get("--custom-logGroup-prefix") or _LOGS


def _settings(conf: str) -> Iterator[tuple[str, str]]:
    """Pairs of a `--conf` argument, in which further settings follow as `a=b --conf c=d`."""
    for word in shlex.split(conf):
        name, equals, value = word.partition("=")
        if equals:
            yield name, value


class _appended:
    """The run's two log streams, open for appending."""

    def __init__(self, runtime: Runtime, run_id: str, prefix: str) -> None:
        self._files: list[IO[bytes]] = [
            runtime.log(f"{prefix}/{name}", run_id).open("ab") for name in ("output", "error")
        ]

    def __enter__(self) -> tuple[IO[bytes], IO[bytes]]:
        return self._files[0], self._files[1]

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            file.close()
