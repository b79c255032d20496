"""Glue: job definitions, runs of them on the local Spark, and the names of databases."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from medallion_cli.local.protocol import Service, ServiceError
from medallion_cli.local.services.glue_runs import Outcome, SparkRuns, log_prefix

if TYPE_CHECKING:
    from medallion_cli.local.runtime import Runtime

_STORE = "glue"
_RUNS_KEPT = 200  # a job
_DEFAULT_TIMEOUT = 480  # minutes, as of Glue 5.0
_MOMENTS = ("StartedOn", "LastModifiedOn", "CompletedOn", "CreatedOn", "CreateTime")
ACTIVE = ("STARTING", "RUNNING", "STOPPING")


class Glue(Service):
    """The API over persisted jobs, runs and databases; runs happen one at a time in one warm JVM."""

    name = "glue"

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lock = threading.RLock()
        empty: dict[str, Any] = {"jobs": {}, "runs": {}, "databases": {}, "tags": {}}
        self._state: dict[str, Any] = empty | runtime.store.load(_STORE, {})
        self._spark = SparkRuns(runtime)

    def start(self) -> None:
        """Runs that were under way when the daemon ended have failed."""
        with self._lock:
            for run in (run for runs in self._state["runs"].values() for run in runs):
                if run["JobRunState"] in ACTIVE:
                    _end(run, "FAILED", "the embedded AWS stopped while it ran")
            self._save()

    def stop(self) -> None:
        """Ends the running job and Spark."""
        self._spark.stop()

    # jobs

    def create_job(self, params: dict[str, Any]) -> dict[str, Any]:
        """Stores a definition."""
        with self._lock:
            if params["Name"] in self._state["jobs"]:
                raise ServiceError(
                    "IdempotentParameterMismatchException", f"Job {params['Name']} already exists"
                )
            job = {key: value for key, value in params.items() if key != "Tags"}
            self._state["jobs"][params["Name"]] = _dated(job)
            self._state["tags"][self._arn("job", params["Name"])] = params.get("Tags", {})
            self._save()
        return {"Name": params["Name"]}

    def update_job(self, params: dict[str, Any]) -> dict[str, Any]:
        """Replaces a definition; what is left out takes its default."""
        with self._lock:
            created = self._job(params["JobName"])["CreatedOn"]
            job = _dated({**params["JobUpdate"], "Name": params["JobName"]})
            self._state["jobs"][params["JobName"]] = job | {"CreatedOn": created}
            self._save()
        return {"JobName": params["JobName"]}

    def get_job(self, params: dict[str, Any]) -> dict[str, Any]:
        """One definition."""
        return {"Job": _shown(self._job(params["JobName"]))}

    def get_jobs(self, params: dict[str, Any]) -> dict[str, Any]:
        """All definitions."""
        return {"Jobs": [_shown(job) for job in self._state["jobs"].values()]}

    def list_jobs(self, params: dict[str, Any]) -> dict[str, Any]:
        """All names."""
        return {"JobNames": sorted(self._state["jobs"])}

    def delete_job(self, params: dict[str, Any]) -> dict[str, Any]:
        """Forgets a definition and its runs; as on AWS no error when there is none."""
        with self._lock:
            self._spark.stop_runs({run["Id"] for run in self._runs(params["JobName"])})
            for part in ("jobs", "runs"):
                self._state[part].pop(params["JobName"], None)
            self._state["tags"].pop(self._arn("job", params["JobName"]), None)
            self._save()
        return {"JobName": params["JobName"]}

    def _job(self, name: str) -> dict[str, Any]:
        if name not in self._state["jobs"]:
            raise ServiceError("EntityNotFoundException", f"Entity not found: job {name}")
        return dict(self._state["jobs"][name])

    # runs

    def start_job_run(self, params: dict[str, Any]) -> dict[str, Any]:
        """Starts a run with the job's default arguments under the given ones."""
        with self._lock:
            job = self._job(params["JobName"])
            runs = self._state["runs"].setdefault(params["JobName"], [])
            limit = job.get("ExecutionProperty", {}).get("MaxConcurrentRuns", 1)
            if sum(run["JobRunState"] in ACTIVE for run in runs) >= limit:
                message = f"Concurrent runs exceeded for {params['JobName']}"
                raise ServiceError("ConcurrentRunsExceededException", message)
            run = _new_run(job, params)
            runs.insert(0, run)
            del runs[_RUNS_KEPT:]
            self._save()
        arguments = {**job.get("DefaultArguments", {}), **params.get("Arguments", {})}
        seconds = run["Timeout"] * 60
        self._spark.submit(run["Id"], job, arguments, seconds, lambda outcome: self._became(run, outcome))
        return {"JobRunId": run["Id"]}

    def get_job_run(self, params: dict[str, Any]) -> dict[str, Any]:
        """One run."""
        for run in self._runs(params["JobName"]):
            if run["Id"] == params["RunId"]:
                return {"JobRun": _shown(run)}
        raise ServiceError("EntityNotFoundException", f"Entity not found: run {params['RunId']}")

    def get_job_runs(self, params: dict[str, Any]) -> dict[str, Any]:
        """The runs of a job, newest first."""
        self._job(params["JobName"])
        runs = self._runs(params["JobName"])[: params.get("MaxResults", _RUNS_KEPT)]
        return {"JobRuns": [_shown(run) for run in runs]}

    def batch_stop_job_run(self, params: dict[str, Any]) -> dict[str, Any]:
        """Asks runs to stop."""
        wanted = set(params["JobRunIds"])
        with self._lock:
            found = [run for run in self._runs(params["JobName"]) if run["Id"] in wanted]
            for run in found:
                if run["JobRunState"] in ACTIVE:
                    self._set(run, "STOPPING")
        self._spark.stop_runs({run["Id"] for run in found})
        name = params["JobName"]
        absent = {"ErrorCode": "EntityNotFoundException", "ErrorMessage": "Entity not found"}
        missing = wanted - {run["Id"] for run in found}
        return {
            "SuccessfulSubmissions": [{"JobName": name, "JobRunId": run["Id"]} for run in found],
            "Errors": [
                {"JobName": name, "JobRunId": run_id, "ErrorDetail": absent} for run_id in sorted(missing)
            ],
        }

    def _runs(self, job: str) -> list[dict[str, Any]]:
        return list(self._state["runs"].get(job, []))

    def _became(self, run: dict[str, Any], outcome: Outcome) -> None:
        with self._lock:
            if outcome.state == "RUNNING":
                if run["JobRunState"] == "STARTING":
                    self._set(run, "RUNNING")
                return
            _end(run, outcome.state, outcome.error)
            self._save()

    def _set(self, run: dict[str, Any], state: str) -> None:
        run |= {"JobRunState": state, "LastModifiedOn": _now()}
        self._save()

    # databases

    def create_database(self, params: dict[str, Any]) -> dict[str, Any]:
        """Stores a database's name and description."""
        with self._lock:
            name = params["DatabaseInput"]["Name"]
            if name in self._state["databases"]:
                raise ServiceError("AlreadyExistsException", f"Database already exists: {name}")
            self._state["databases"][name] = {**params["DatabaseInput"], "CreateTime": _now()}
            self._save()
        return {}

    def update_database(self, params: dict[str, Any]) -> dict[str, Any]:
        """Replaces a database's description."""
        with self._lock:
            created = self._database(params["Name"])["CreateTime"]
            self._state["databases"][params["Name"]] = {**params["DatabaseInput"], "CreateTime": created}
            self._save()
        return {}

    def get_database(self, params: dict[str, Any]) -> dict[str, Any]:
        """One database."""
        return {"Database": _shown(self._database(params["Name"]))}

    def get_databases(self, params: dict[str, Any]) -> dict[str, Any]:
        """All databases."""
        return {"DatabaseList": [_shown(database) for database in self._state["databases"].values()]}

    def delete_database(self, params: dict[str, Any]) -> dict[str, Any]:
        """Forgets a database; its tables' files stay in their bucket, as on AWS."""
        with self._lock:
            self._database(params["Name"])
            del self._state["databases"][params["Name"]]
            self._save()
        return {}

    def _database(self, name: str) -> dict[str, Any]:
        if name not in self._state["databases"]:
            raise ServiceError("EntityNotFoundException", f"Database {name} not found.")
        return dict(self._state["databases"][name])

    # tags

    def tag_resource(self, params: dict[str, Any]) -> dict[str, Any]:
        """Adds tags."""
        with self._lock:
            self._state["tags"].setdefault(params["ResourceArn"], {}).update(params["TagsToAdd"])
            self._save()
        return {}

    def untag_resource(self, params: dict[str, Any]) -> dict[str, Any]:
        """Removes tags."""
        with self._lock:
            tags = self._state["tags"].get(params["ResourceArn"], {})
            for key in params["TagsToRemove"]:
                tags.pop(key, None)
            self._save()
        return {}

    def get_tags(self, params: dict[str, Any]) -> dict[str, Any]:
        """The tags of a job."""
        return {"Tags": dict(self._state["tags"].get(params["ResourceArn"], {}))}

    def _arn(self, kind: str, name: str) -> str:
        return f"arn:aws:glue:{self._runtime.region}:{self._runtime.account}:{kind}/{name}"

    def _save(self) -> None:
        self._runtime.store.save(_STORE, self._state)


def create(runtime: Runtime) -> Service:
    """The service of an environment."""
    return Glue(runtime)


def _new_run(job: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    now = _now()
    return {
        "Id": f"jr_{uuid.uuid4().hex}{uuid.uuid4().hex}",
        "Attempt": 0,
        "JobName": params["JobName"],
        "StartedOn": now,
        "LastModifiedOn": now,
        "JobRunState": "STARTING",
        "Arguments": params.get("Arguments", {}),
        "ExecutionTime": 0,
        "Timeout": params.get("Timeout") or job.get("Timeout") or _DEFAULT_TIMEOUT,
        "LogGroupName": log_prefix(job.get("DefaultArguments", {}) | params.get("Arguments", {})),
        "GlueVersion": job.get("GlueVersion", "5.1"),
    }


def _end(run: dict[str, Any], state: str, error: str | None) -> None:
    now = _now()
    seconds = (datetime.fromisoformat(now) - datetime.fromisoformat(run["StartedOn"])).total_seconds()
    run |= {"JobRunState": state, "LastModifiedOn": now, "CompletedOn": now, "ExecutionTime": round(seconds)}
    if error:
        run["ErrorMessage"] = error


def _dated(job: dict[str, Any]) -> dict[str, Any]:
    return {**job, "CreatedOn": _now(), "LastModifiedOn": _now()}


def _shown(stored: dict[str, Any]) -> dict[str, Any]:
    """As the API returns it: moments are datetimes."""
    return {k: datetime.fromisoformat(v) if k in _MOMENTS else v for k, v in stored.items()}


def _now() -> str:
    return datetime.now(UTC).isoformat()
