"""Checks of the warehouse; only a deep look asks it anything, since that wakes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from medallion_cli.errors import MedallionError
from medallion_cli.operations.doctor.catalogue import finding
from medallion_cli.operations.doctor.rules import NotLooked

if TYPE_CHECKING:
    from medallion_cli.operations.doctor.look import Look
    from medallion_cli.operations.doctor.rules import Finding


def workgroup(look: Look) -> Iterator[Finding]:
    """The workgroup, as Redshift Serverless sees it."""
    if look.warehouse not in ("AVAILABLE", "MODIFYING"):
        yield finding("MED-GLD-001", f"the workgroup is {look.warehouse}", where="warehouse")


def statements(look: Look) -> Iterator[Finding]:
    """Whether it answers."""
    from medallion_cli.aws.warehouse import connect

    if not look.deep:
        raise NotLooked
    try:
        with closing(connect(look.target, look.outputs, look.settings.connection)) as warehouse:
            warehouse.execute("SELECT 1")
    except MedallionError as error:
        yield finding("MED-GLD-001", str(error), where="warehouse")
