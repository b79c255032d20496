"""A run as the state machine makes it, in process: the jobs' own `main`, the warehouse's own statements."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

from crash import FUSE
from rooms import Rooms

POSITIONS = "SELECT model, to_position, select_hash FROM etl.position"


class JobFailed(Exception):
    """A job or a statement of the warehouse failed by itself; the message is its own."""


@dataclass
class RunSteps:
    """The steps over one trial's buckets and warehouse."""

    rooms: Rooms
    database: str  # silver's

    def silver(self, run_id: str, generation: str, loaded: list[str], tables: str = "all") -> dict[str, Any]:
        """Bronze to silver; its step file."""
        self._job(
            "bronze_to_silver",
            run_id,
            **{"loaded": ",".join(["none", *loaded]), "generation": generation, "tables": tables},
        )
        return self._step(run_id, "bronze_to_silver")

    def positions(self) -> str:
        """What gold holds, as the state machine reads it."""
        rows = self.rooms.warehouse.run(POSITIONS)
        return json.dumps({model: {"to": to, "hash": found} for model, to, found in rows})

    def stage(self, run_id: str, positions: str | None = None, full: bool = False) -> list[list[str]]:
        """Silver to gold; the batches that load what it staged."""
        self._job(
            "silver_to_gold",
            run_id,
            **{"positions": positions or self.positions(), "models": "all", "full": str(full).lower()},
            **{"copy_role_arn": "arn:aws:iam::000000000000:role/copy"},
        )
        found: list[list[str]] = self._step(run_id, "silver_to_gold")["load_batches"]
        return found

    def copy(self, batches: list[list[str]], until: int | None = None) -> None:
        """COPYs what a run has staged, a transaction a batch; `until`: rolls back after so many statements."""
        for batch in batches:
            self._statement("BEGIN")
            for number, statement in enumerate(batch):
                if until is not None and number >= until:
                    self._statement("ROLLBACK")
                    return
                self._statement(statement)
            self._statement("COMMIT")

    def merge(self, run_id: str) -> None:
        """The one CALL."""
        self._statement(f"CALL gold.merge_run('{run_id}', 'all')")

    def merge_cut(self, run_id: str, table: str) -> bool:
        """A merge whose connection is ended while it waits for a table that is locked; False where it never did."""
        from medallion_cli.local.engines.redshift_errors import SqlError

        session, other = self.rooms.warehouse.engine.session(), self.rooms.warehouse.engine.session()
        (pid,) = session.execute("SELECT pg_backend_pid()").rows[0]
        other.execute("BEGIN")
        other.execute(f"LOCK TABLE {table} IN SHARE MODE")
        done = threading.Event()

        def work() -> None:
            with contextlib.suppress(SqlError):
                session.execute(f"CALL gold.merge_run('{run_id}', 'all')")
            done.set()

        thread = threading.Thread(target=work)
        thread.start()
        waits = self._until_waiting(other, table, done)
        if waits:
            with self.rooms.warehouse.engine._server.connect("postgres") as superuser:
                superuser.execute("SELECT pg_terminate_backend(%s)", [int(pid)])
        else:
            other.execute("ROLLBACK")
        thread.join(30)
        other.close()
        session.close()
        return waits

    def _until_waiting(self, session: Any, table: str, done: threading.Event) -> bool:
        sql = f"SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND relation = '{table}'::regclass"
        for _ in range(400):
            if done.is_set():
                return False
            if session.execute(sql).rows[0][0] != "0":
                return True
            time.sleep(0.005)
        return False

    def _statement(self, sql: str) -> None:
        from medallion_cli.local.engines.redshift_errors import SqlError

        try:
            self.rooms.warehouse.run(sql)
        except SqlError as error:
            if sql not in ("ROLLBACK", "BEGIN"):
                with contextlib.suppress(SqlError):
                    self.rooms.warehouse.run("ROLLBACK")
            raise JobFailed(f"{sql[:60]}: {error}") from error

    def _job(self, script: str, run_id: str, **arguments: str) -> None:
        """Runs a script's `main` with the arguments of its Glue job; what it prints is kept from the terminal."""
        import importlib

        common = {
            "run_id": run_id,
            "pipeline_uri": "s3://artifacts/code/pipeline.json",
            "artifacts_bucket": "artifacts",
            "bronze_bucket": "bronze",
            "staging_bucket": "staging",
            "silver_database": self.database,
        }
        kept, sys.argv = (
            sys.argv,
            [script, *(w for k, v in (common | arguments).items() for w in (f"--{k}", v))],
        )
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                importlib.import_module(script).main()
        except (SystemExit, Exception) as error:
            raise JobFailed(
                f"{script}: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
            ) from error
        finally:
            sys.argv = kept

    def _step(self, run_id: str, name: str) -> dict[str, Any]:
        path = self.rooms.objects / "artifacts" / "runs" / run_id / f"{name}.json"
        found: dict[str, Any] = json.loads(path.read_text())
        return found


def blown() -> bool:
    """Whether the job before was cut off."""
    return FUSE.disarm()
