"""What CloudFormation can't do: the source's schema and users, the warehouse's SQL. Skipped when it was done already.

What was done is an SSM parameter: a hash of the content and of the database's secret, which is another one for a new database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from medallion_cli.errors import AwsError, MedallionError
from medallion_cli.events import Event, Finished, Progressed, Started

if TYPE_CHECKING:
    from medallion_cli.assets import Assets
    from medallion_cli.aws.session import Target
    from medallion_cli.settings import Settings
    from medallion_cli.spec import Pipeline


def bootstrap(
    target: Target, found: dict[str, str], settings: Settings, pipeline: Pipeline, assets: Assets, code: str
) -> Generator[Event, None, None]:
    """Both databases; `code` is the key of the source function's zip, which holds its DDL."""
    yield from _source(target, found, code)
    yield from _warehouse(target, found, settings, pipeline, assets)


def forget(target: Target) -> None:
    """Drops the marks of what was done."""
    for what in ("source", "warehouse"):
        try:
            target.client("ssm").delete_parameter(Name=_parameter(target, what))
        except AwsError as error:
            if error.code != "ParameterNotFound":
                raise


def _source(target: Target, found: dict[str, str], code: str) -> Generator[Event, None, None]:
    from medallion_cli.aws.source import Source

    digest = _digest(code, found["SourceSecretArn"])
    if _applied(target, "source") != digest:
        yield Started("source bootstrap")
        Source(target, found["SourceFunctionName"]).call("bootstrap")
        _apply(target, "source", digest)
        yield Finished("source bootstrap")


def _warehouse(
    target: Target, found: dict[str, str], settings: Settings, pipeline: Pipeline, assets: Assets
) -> Generator[Event, None, None]:
    from medallion_cli.aws.warehouse import connect
    from medallion_cli.warehouse import bootstrap_statements

    statements = bootstrap_statements(pipeline, assets)
    digest = _digest(*(s.sql for s in statements), found["WarehouseSecretArn"])
    if _applied(target, "warehouse") != digest:
        yield Started("warehouse bootstrap")
        warehouse = connect(target, found, settings.connection)
        for number, statement in enumerate(statements, start=1):
            _execute(warehouse, statement)
            yield Progressed("warehouse bootstrap", number, len(statements), "statements")
        _apply(target, "warehouse", digest)
        yield Finished("warehouse bootstrap", f"{len(statements)} statements")


def _execute(warehouse: Any, statement: Any) -> None:
    try:
        warehouse.execute(statement.sql)
    except MedallionError as error:
        raise MedallionError(f"{statement.name}: {error}", hint="medallion validate") from error


def _digest(*facts: str) -> str:
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def _applied(target: Target, what: str) -> str | None:
    try:
        found = target.client("ssm").get_parameter(Name=_parameter(target, what))
    except AwsError as error:
        if error.code == "ParameterNotFound":
            return None
        raise
    return str(found["Parameter"]["Value"])


def _apply(target: Target, what: str, value: str) -> None:
    target.client("ssm").put_parameter(
        Name=_parameter(target, what), Value=value, Type="String", Overwrite=True
    )


def _parameter(target: Target, what: str) -> str:
    return f"/{target.settings.prefix}/applied/{what}"
