"""The dashboards' user is made once, follows its secret, and its password is in no statement."""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from medallion_cli.aws import warehouse as warehouses
from medallion_cli.errors import AwsError, MedallionError
from medallion_cli.events import Event
from medallion_cli.operations.dashboard_user import keep_dashboard_user, statements

FOUND = {"DashboardSecretArn": "arn:d", "WarehouseSecretArn": "arn:w"}
PASSWORD = "Not-To-Be-Seen-1"


class World:
    """A warehouse, a secret and the marks."""

    def __init__(self) -> None:
        self.settings = SimpleNamespace(prefix="retail-dev", connection="data_api")
        self.version, self.users, self.marks = "v1", list[str](), dict[str, str]()
        self.batches: list[list[str]] = []
        self.broken = False

    def client(self, _: str) -> Any:
        return self

    def get_secret_value(self, **_: str) -> dict[str, str]:
        document = json.dumps({"username": "medallion_dashboard", "password": PASSWORD})
        return {"ARN": "arn:d", "VersionId": self.version, "SecretString": document}

    def get_parameter(self, *, Name: str) -> dict[str, Any]:
        if Name not in self.marks:
            raise AwsError("ParameterNotFound", "no")
        return {"Parameter": {"Value": self.marks[Name]}}

    def put_parameter(self, *, Name: str, Value: str, **_: Any) -> None:
        self.marks[Name] = Value

    def execute(self, sql: str) -> Any:
        return SimpleNamespace(rows=[(user,) for user in self.users])

    def batch(self, sqls: Sequence[str]) -> None:
        if self.broken:
            raise MedallionError(f"Redshift: syntax error in {sqls[0]}")
        self.batches.append(list(sqls))
        self.users = ["medallion_dashboard"]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(warehouses, "connect", lambda *_: made)
    return made


def keep(world: World, found: dict[str, str] = FOUND) -> list[Event]:
    return list(keep_dashboard_user(world, found, world.settings))  # type: ignore[arg-type]


def test_the_user_is_made_once_and_follows_its_secret(world: World) -> None:
    keep(world)
    assert keep(world) == []
    world.version = "v2"
    keep(world)
    first, second = world.batches
    assert [sql.split()[0] for sql in first] == ["CREATE", "GRANT"]
    assert [sql.split()[0] for sql in second] == ["ALTER"]


def test_a_new_warehouse_gets_the_user_again(world: World) -> None:
    keep(world)
    world.users = []
    keep(world, FOUND | {"WarehouseSecretArn": "arn:another"})
    assert [batch[0].split()[0] for batch in world.batches] == ["CREATE", "CREATE"]


def test_what_was_deployed_before_there_was_a_user_is_left_alone(world: World) -> None:
    assert keep(world, {"WarehouseSecretArn": "arn:w"}) == []


def test_the_password_is_told_as_a_hash_alone(world: World) -> None:
    said = keep(world)
    shown = str(said) + str(world.batches) + str(world.marks)
    assert PASSWORD not in shown
    assert statements("u", "p", known=True) == ["ALTER USER u PASSWORD 'md5534b9a3588bdd87bf7c3b9d650e43e46'"]


def test_a_failure_shows_neither_password_nor_hash(world: World) -> None:
    world.broken = True
    with pytest.raises(MedallionError) as raised:
        keep(world)
    assert "md5" not in str(raised.value)
    assert world.marks == {}
