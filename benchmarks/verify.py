"""Times verify of one large table against the same aggregate query run by hand in each engine, then finds one changed cell.

    python benchmarks/verify.py --rows 1000000

By hand are: the checksum of the table in the source, of its silver table and of the model over it in a Glue job, and of
its table in gold, one after the other over open connections. The start of a Glue job is part of its time, as of that of verify,
of which the start of the tool is a part, too. Prints one JSON document: seconds (medians of five), their ratio, and what was
found of the changed cell and how fast.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medallion_cli.assets import Assets
from medallion_cli.canonical import checksum_select
from medallion_cli.spec import Pipeline, load_pipeline

TIMES = 5
TABLE = "measurements"
DDL = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
  measurement_id BIGINT NOT NULL PRIMARY KEY,
  sensor VARCHAR(40) NOT NULL,
  taken_at DATETIME(6) NOT NULL,
  reading DECIMAL(12,4) NULL,
  quality SMALLINT NOT NULL,
  place CHAR(8) NULL,
  remark VARCHAR(200) NULL,
  updated_at DATETIME(6) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
"""
PIPELINE = f"""
name: bench
source: {{schema: bench, ddl: sql/mysql/schema.sql}}
business: {{time_zone: UTC, currency: EUR}}
tables:
  {TABLE}: {{}}
models:
  {TABLE}: {{kind: copy}}
"""
ROWS = """
INSERT INTO {table}
SELECT seq, CONCAT('sensor ', seq % 997), '2026-01-01' + INTERVAL seq SECOND + INTERVAL seq % 1000000 MICROSECOND,
  IF(seq % 11 = 0, NULL, seq * 1.2345 % 10000), seq % 7, CONCAT('P', seq % 89), IF(seq % 3 = 0, NULL, REPEAT('é', seq % 40)),
  '2026-02-01 00:00:00.000001'
FROM seq_{first}_to_{last}
"""
JOB = """
from medallion_glue.arguments import read_arguments
from medallion_glue.lakehouse import Lakehouse, open_session

arguments = read_arguments("silver_database", "sql", catalog="glue_catalog")
house = Lakehouse(open_session("by hand"), arguments["catalog"], arguments["silver_database"])
for sql in arguments["sql"].split(";"):
    print(house.spark.sql(sql.replace("silver.", f"{house.catalog}.`{house.database}`.")).first(), flush=True)
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """One JSON document."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=TIMES)
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    with environment() as bench:
        bench.fill(given.rows)
        print(json.dumps(measured(bench, given.rows, given.times)), flush=True)


def measured(bench: Bench, rows: int, times: int) -> dict[str, Any]:
    """Medians, their ratio, and the search for one cell in gold."""
    runs = {**bench.by_hand(), "verify": lambda: bench.tool("verify")}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(times):  # in turns, so that a busy machine is as slow for all
        for name, run in runs.items():
            began = time.monotonic()
            run()
            seconds[name].append(time.monotonic() - began)
            print(f"{name}: {seconds[name][-1]:.2f} s", file=sys.stderr, flush=True)
    by_hand = {name: statistics.median(taken) for name, taken in seconds.items()}
    verify = by_hand.pop("verify")
    total = sum(by_hand.values())
    bench.change_gold(rows // 2)
    began = time.monotonic()
    found = json.loads(bench.tool("--output json verify", code=3))
    return {
        "rows": rows,
        "by_hand": {name: round(seconds, 2) for name, seconds in by_hand.items()},
        "by_hand_together": round(total, 2),
        "verify": round(verify, 2),
        "ratio": round(verify / total, 2),
        "found_in": round(time.monotonic() - began, 2),
        "found": [
            {name: one[name] for name in ("layer", "table", "key", "columns", "code")}
            for one in found["differences"]
        ],
    }


@dataclass(frozen=True)
class Bench:
    """An environment of one table."""

    home: Path
    project: Path

    def tool(self, words: str, code: int = 0) -> str:
        """Runs a command line of the tool; its stdout."""
        command = [
            sys.executable,
            "-m",
            "medallion_cli.cli",
            "--project",
            str(self.project),
            *shlex.split(words),
        ]
        environment = {**os.environ, "MEDALLION_STATE_HOME": str(self.home)}
        ran = subprocess.run(command, env=environment, check=False, text=True, stdout=subprocess.PIPE)
        if ran.returncode != code:
            raise SystemExit(f"{words} ended with {ran.returncode}")
        return ran.stdout

    @property
    def pipeline(self) -> Pipeline:
        """Its specification."""
        return load_pipeline(Assets.find(self.project))

    def fill(self, rows: int) -> None:
        """Rows at the source, before its full load, and through all layers."""
        self.tool("up --yes")
        with closing(self.source()) as connection, connection.cursor() as cursor:
            for first in range(1, rows + 1, 100_000):
                last = min(rows, first + 99_999)
                cursor.execute(ROWS.format(table=TABLE, first=first, last=last))
                connection.commit()
        self.tool("run")

    def client(self, service: str) -> Any:
        """A client of its embedded AWS."""
        import boto3

        facts = json.loads((self.home / "bench-local" / "daemon.json").read_text())
        keys = {"aws_access_key_id": facts["access_key"], "aws_secret_access_key": facts["secret_key"]}
        return boto3.client(service, region_name="us-east-1", endpoint_url=facts["endpoint"], **keys)

    def source(self) -> Any:
        """A connection to its source."""
        import pymysql

        secret = self._secret("SourceSecretArn")
        return pymysql.connect(
            host=secret["host"],
            port=int(secret["port"]),
            user=secret["username"],
            password=secret["password"],
            database="bench",
        )

    def _secret(self, output: str) -> dict[str, Any]:
        arn = self.outputs()[output]
        found: dict[str, Any] = json.loads(
            self.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
        )
        return found

    def outputs(self) -> dict[str, str]:
        """As `medallion outputs` gives them."""
        found: dict[str, str] = json.loads(self.tool("--output json outputs"))
        return found

    def by_hand(self) -> dict[str, Callable[[], object]]:
        """The aggregate in each engine, over connections and a job definition that are there."""
        table, model = self.pipeline.table(TABLE), self.pipeline.model(TABLE)
        spark = [checksum_select("spark", f"silver.{TABLE}", [c.canonical["spark"] for c in columns], "NOT `_is_deleted`")
                 for columns in (table.columns, model.checked)]  # fmt: skip
        source, gold = self.source(), self.warehouse()
        in_source = checksum_select("mysql", TABLE, [c.canonical["mysql"] for c in table.columns])
        in_gold = checksum_select(
            "redshift", f"gold.{TABLE}", [c.canonical["redshift"] for c in model.checked]
        )
        self._define_job()
        return {
            "source": lambda: source.cursor().execute(in_source),
            "silver and the model over it": lambda: self._job(";".join(spark)),
            "gold": lambda: gold.execute(in_gold).rows,
        }

    def warehouse(self) -> Any:
        """An open transport to its warehouse, as commands use it."""
        from medallion_cli.aws.warehouse import connect

        return connect(self, self.outputs(), "direct")

    def _define_job(self) -> None:
        glue, outputs = self.client("glue"), self.outputs()
        bucket = outputs["ArtifactsBucket"]
        self.client("s3").put_object(Bucket=bucket, Key="by_hand.py", Body=JOB.encode())
        like = glue.get_job(JobName=outputs["ChecksumJob"])["Job"]
        glue.create_job(
            Name="by-hand",
            Role=like["Role"],
            GlueVersion=like["GlueVersion"],
            Command=like["Command"] | {"ScriptLocation": f"s3://{bucket}/by_hand.py"},
            DefaultArguments=like["DefaultArguments"],
        )

    def _job(self, sql: str) -> None:
        glue = self.client("glue")
        run_id = glue.start_job_run(JobName="by-hand", Arguments={"--sql": sql})["JobRunId"]
        while (
            state := glue.get_job_run(JobName="by-hand", RunId=run_id)["JobRun"]["JobRunState"]
        ) != "SUCCEEDED":
            if state not in ("STARTING", "RUNNING"):
                raise SystemExit(f"the job by hand ended as {state}")
            time.sleep(0.2)

    def change_gold(self, key: int) -> None:
        """Changes one cell."""
        with closing(self.warehouse()) as gold:
            gold.execute(f"UPDATE gold.{TABLE} SET quality = quality + 1 WHERE measurement_id = {key}")


@contextmanager
def environment() -> Iterator[Bench]:
    """A project and a state home of their own, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="medallion-bench-") as folder:
        os.chmod(folder, 0o755)
        project = Path(folder) / "project"
        for name, text in (("configs/pipeline.yaml", PIPELINE), ("sql/mysql/schema.sql", DDL)):
            path = project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        bench = Bench(Path(folder) / "state", project)
        bench.home.mkdir(mode=0o755)
        try:
            yield bench
        finally:
            bench.tool("down --yes")


if __name__ == "__main__":
    main()
