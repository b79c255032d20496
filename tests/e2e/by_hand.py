"""Damage that nothing of the product does: a cell changed in a layer, a bronze file deleted."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from command_line import Medallion
from engines import warehouse

SCRIPT = """
from medallion_glue.arguments import read_arguments
from medallion_glue.lakehouse import Lakehouse, open_session

arguments = read_arguments("silver_database", "sql", catalog="glue_catalog")
house = Lakehouse(open_session("by hand"), arguments["catalog"], arguments["silver_database"])
house.spark.sql(arguments["sql"].replace("silver.", f"{house.catalog}.`{house.database}`."))
"""


def change_gold(tool: Medallion, sql: str) -> None:
    """Runs a statement in the warehouse that must change one row."""
    with warehouse(tool) as connection:
        assert connection.execute(sql).rowcount == 1  # type: ignore[arg-type]
        connection.commit()


def change_silver(tool: Medallion, sql: str) -> None:
    """Runs a statement of Spark SQL over `silver.<table>`, as a Glue job of its own."""
    glue, s3, outputs = tool.client("glue"), tool.client("s3"), tool.json("outputs")
    like = glue.get_job(JobName=outputs["ChecksumJob"])["Job"]
    s3.put_object(Bucket=outputs["ArtifactsBucket"], Key="by_hand.py", Body=SCRIPT.encode())
    command = like["Command"] | {"ScriptLocation": f"s3://{outputs['ArtifactsBucket']}/by_hand.py"}
    job = {"Role": like["Role"], "Command": command, "DefaultArguments": like["DefaultArguments"]}
    glue.create_job(Name="by-hand", GlueVersion=like["GlueVersion"], **job)
    run_id = glue.start_job_run(JobName="by-hand", Arguments={"--sql": sql})["JobRunId"]
    while (run := glue.get_job_run(JobName="by-hand", RunId=run_id)["JobRun"])["JobRunState"] in (
        "STARTING",
        "RUNNING",
    ):
        time.sleep(0.2)
    assert run["JobRunState"] == "SUCCEEDED", run
    glue.delete_job(JobName="by-hand")


def lose_a_file_of(tool: Medallion, table: str, sql: str) -> None:
    """Changes the source and deletes the bronze file that the change comes in, before silver sees it."""
    before = _files(tool, table)
    _at_the_source(tool, sql)
    deadline = time.monotonic() + 30
    while not (new := _files(tool, table) - before):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    for path in new:
        path.unlink()


def _at_the_source(tool: Medallion, sql: str) -> None:
    connection: Any = tool.source("shop")
    with connection, connection.cursor() as cursor:
        assert cursor.execute(sql) == 1
        connection.commit()


def _files(tool: Medallion, table: str) -> set[Path]:
    return set(tool.objects("bronze").glob(f"*/*/{table}/**/*.parquet"))


@contextmanager
def changing(tool: Medallion, sql: str) -> Iterator[None]:
    """Changes the source all the time, row after row, until the end of the block."""
    ended = threading.Event()

    def change(connection: Any) -> None:
        with connection, connection.cursor() as cursor:
            for number in itertools.count(1):
                cursor.execute(sql, (number,))
                connection.commit()
                if ended.wait(0.05):
                    return

    thread = threading.Thread(target=change, args=(tool.source("shop"),))
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
