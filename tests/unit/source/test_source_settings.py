"""A binlog that DMS cannot read, or that is gone before it was read, keeps replication from starting."""

from __future__ import annotations

from typing import Any

import pymysql
import pytest

from medallion_cli.errors import MedallionError
from medallion_cli.operations import source_settings
from medallion_cli.synthetic import server

RIGHT = {
    "log_bin": "ON",
    "binlog_format": "ROW",
    "binlog_row_image": "FULL",
    "binlog_checksum": "NONE",
    "binlog_transaction_compression": "OFF",
    "binlog_expire_logs_seconds": "259200",
    "binlog retention hours": "72",
}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("log_bin", "OFF", "log_bin is OFF, not ON"),
        ("binlog_format", "MIXED", "binlog_format is MIXED, not ROW"),
        ("binlog_row_image", "MINIMAL", "binlog_row_image is MINIMAL, not FULL"),
        ("binlog_checksum", "CRC32", "binlog_checksum is CRC32, not NONE"),
        ("binlog_transaction_compression", "ON", "binlog_transaction_compression is ON, not OFF"),
        ("binlog retention hours", None, "it is kept for 0 hours, less than 24"),
        ("binlog retention hours", "12", "it is kept for 12 hours, less than 24"),
    ],
)
def test_each_wrong_setting_is_named(name: str, value: str | None, said: str) -> None:
    assert list(source_settings.faults(RIGHT)) == []
    assert list(source_settings.faults({**RIGHT, name: value})) == [said]


def test_a_server_that_keeps_its_binlog_by_seconds_is_checked_too() -> None:
    plain = {name: value for name, value in RIGHT.items() if name != "binlog retention hours"}
    assert list(source_settings.faults(plain)) == []
    assert list(source_settings.faults({**plain, "binlog_expire_logs_seconds": "0"})) == []  # never purged
    short = {**plain, "binlog_expire_logs_seconds": "3600"}
    assert list(source_settings.faults(short)) == ["it is kept for 1 hours, less than 24"]


def test_the_error_names_them_all_and_the_way_on(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {**RIGHT, "binlog_format": "MIXED", "binlog_checksum": "CRC32"}
    monkeypatch.setattr(source_settings.Source, "call", lambda self, operation: {"settings": wrong})

    class Nowhere:
        def client(self, service: str) -> Any:
            return None

    with pytest.raises(MedallionError, match=r"binlog_format is MIXED.*binlog_checksum is CRC32") as caught:
        source_settings.check(Nowhere(), {"SourceFunctionName": "f"})  # type: ignore[arg-type]
    assert "medallion up" in str(caught.value.hint)


class FakeCursor:
    """Records statements; raises what it is given."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[tuple[str, Any]] = []

    def execute(self, sql: str, parameters: Any = None) -> None:
        self.asked.append((sql, parameters))
        if self.error is not None:
            raise self.error


def test_bootstrap_has_rds_keep_the_binlog_for_more_than_a_day() -> None:
    cursor = FakeCursor()
    assert server._binlog_retention(cursor) == server.BINLOG_HOURS >= source_settings.LEAST_HOURS
    assert cursor.asked == [
        ("CALL mysql.rds_set_configuration('binlog retention hours', %s)", (server.BINLOG_HOURS,))
    ]


def test_a_server_without_that_procedure_is_no_error() -> None:
    missing = pymysql.err.OperationalError(1305, "PROCEDURE mysql.rds_set_configuration does not exist")
    assert server._binlog_retention(FakeCursor(missing)) is None
