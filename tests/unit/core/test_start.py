"""The command line answers at once: nothing heavy is loaded for its help, and little processor time is spent."""

from __future__ import annotations

import resource
import subprocess
import sys

HEAVY = (
    "boto3",
    "botocore",
    "pyspark",
    "moto",
    "sqlglot",
    "cfnlint",
    "psycopg",
    "pymysql",
    "pyarrow",
    "yaml",
)
SECONDS = 0.9  # of processor time; about 0.25 on a quiet machine, more on one whose caches are shared
LOADED = f"import sys, medallion_cli.cli; print([m for m in {HEAVY} if m in sys.modules])"


def test_help_loads_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_takes_little_processor_time() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "medallion_cli.cli", "--help"], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime) < SECONDS
