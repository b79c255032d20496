"""docs/recover.md's rehearsal, typed as it stands; then a person is forgotten in the same environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from command_line import Medallion
from marked import ROOT, blocks

pytestmark = [pytest.mark.engine, pytest.mark.recovery]
NAME = "retail-local"
PERSON = "42"
# `aws SERVICE OPERATION --some-name VALUE …`, as far as the page types it, where the AWS CLI need not be installed.
AWS = """#!{python}
import json, re, sys
import boto3
service, operation, *words = sys.argv[1:]
waiter = words.pop(0) if operation == "wait" else None
out = words.pop() if operation == "invoke" else None
def named(word):
    return re.sub("(?:^|-)([a-z])", lambda m: m[1].upper(), word[2:]).replace("Db", "DB")
given = {{named(name): value for name, value in zip(words[::2], words[1::2])}}
given.pop("CliBinaryFormat", None)
client = boto3.client(service)
if waiter:
    client.get_waiter(waiter.replace("-", "_")).wait(WaiterConfig={{"Delay": 1, "MaxAttempts": 120}}, **given)
elif out:
    answer = client.invoke(**given)
    open(out, "wb").write(answer["Payload"].read())
    sys.exit("FunctionError" in answer)
else:
    getattr(client, operation.replace("-", "_"))(**given)
"""


@pytest.fixture(scope="module")
def typed(home: Path) -> dict[str, str]:
    """The variables of a shell whose PATH has `medallion` and `aws`."""
    folder = home / "bin"
    folder.mkdir()
    (folder / "aws").write_text(AWS.format(python=sys.executable))
    (folder / "aws").chmod(0o755)
    path = os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])
    return {
        **os.environ,
        "PATH": path,
        "MEDALLION_STATE_HOME": str(home),
        "AWS_DEFAULT_REGION": "eu-central-1",
    }


def keys(home: Path) -> dict[str, str]:
    """What the page says of `daemon.json`, once there is one."""
    file = home / NAME / "daemon.json"
    found = json.loads(file.read_text()) if file.exists() else {}
    names = {
        "AWS_ENDPOINT_URL": "endpoint",
        "AWS_ACCESS_KEY_ID": "access_key",
        "AWS_SECRET_ACCESS_KEY": "secret_key",
    }
    return {variable: found[name] for variable, name in names.items() if found}


def test_the_rehearsal(home: Path, typed: dict[str, str]) -> None:
    (block,) = (b for b in blocks(ROOT / "docs/recover.md") if b.mark.endswith("::test_the_rehearsal"))
    tool = Medallion(home, NAME)
    for line in block.text.splitlines():
        if "SOURCE_FUNCTION" in line:
            line = line.replace("SOURCE_FUNCTION", tool.json("outputs")["SourceFunctionName"])
        done = subprocess.run(
            line, shell=True, cwd=home, env=typed | keys(home), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stdout[-600:]}\n{done.stderr[-1200:]}"
    assert tool.json("status")["replication"]["generation"] == "g0002"


def test_a_person_is_forgotten(home: Path) -> None:
    tool = Medallion(home, NAME)
    assert "the source" in tool.refused("erase", "--table", "customers", "--key", PERSON, "--yes", code=1)
    with closing(tool.source("shop")) as connection, connection.cursor() as cursor:
        orders = f"(SELECT order_id FROM orders WHERE customer_id = {PERSON})"
        for table in ("payments", "order_items"):
            cursor.execute(f"DELETE FROM {table} WHERE order_id IN {orders}")
        for table in ("orders", "addresses", "customers"):
            cursor.execute(f"DELETE FROM {table} WHERE customer_id = {PERSON}")
        connection.commit()
    tool("erase", "--table", "customers", "--key", PERSON, "--yes")
    assert tool.query(f"SELECT COUNT(*) AS n FROM gold.dim_customer WHERE customer_id = {PERSON}") == [
        {"n": 0}
    ]
    assert tool.json("peek", "silver", "customers_changes", "--key", PERSON) == []
    tool.verified()
