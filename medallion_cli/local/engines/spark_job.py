"""What a Glue job's process runs: `python spark_job.py SCRIPT ARGUMENTS…`, attached to the warm JVM.

Standard library and pyspark only. It ends with its parent (standard input closes), leaves no Spark context
behind, and writes a failure's own line to the file that `MEDALLION_JOB_ERROR` names.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import threading
import traceback
from pathlib import Path

ABANDONED = 87  # exit code: the process that started this one is gone


def main() -> None:
    """Runs the script named by the first argument with the others; exits 1 when it fails."""
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    script, sys.argv = sys.argv[1], sys.argv[1:]
    sys.path[0] = str(Path(script).parent)
    try:
        _configure(json.loads(os.environ["MEDALLION_SPARK_SETTINGS"]))
        runpy.run_path(script, run_name="__main__")
    except BaseException as error:  # noqa: BLE001 (whatever ends the script is what the job reports)
        if not isinstance(error, SystemExit) or error.code not in (None, 0):
            traceback.print_exc()
            Path(os.environ["MEDALLION_JOB_ERROR"]).write_text(_line(error))
            raise SystemExit(1) from None
    finally:
        _stop_spark()


def _leave_with_parent() -> None:
    while os.read(0, 1):  # not sys.stdin, whose lock would abort an ordinary exit
        pass
    os._exit(ABANDONED)


def _configure(settings: dict[str, str]) -> None:
    """Gives the JVM this job's settings in place of the last job's, as spark-submit would have."""
    from pyspark import SparkContext

    SparkContext._ensure_initialized()
    system = SparkContext._jvm.java.lang.System
    kept = {"spark.local.dir"}
    for name in list(system.getProperties().stringPropertyNames()):
        if name.startswith("spark.") and name not in kept:
            system.clearProperty(name)
    for name, value in settings.items():
        system.setProperty(name, value)


def _line(error: BaseException) -> str:
    """`Type: message` in one line; of a Java error the Java message."""
    lines = [line.strip(" :") for line in str(error).splitlines() if line.strip()]
    if type(error).__name__ == "Py4JJavaError" and len(lines) > 1:
        return lines[1]
    message = lines[0] if lines else ""
    return message if isinstance(error, SystemExit) else f"{type(error).__name__}: {message}"


def _stop_spark() -> None:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    if session := SparkSession.getActiveSession():
        session.stop()
    elif context := SparkContext._active_spark_context:
        context.stop()


if __name__ == "__main__":
    main()
