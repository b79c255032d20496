"""What was done to an environment that no service tells: small SSM parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medallion_cli.errors import AwsError

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target


def read(target: Target, what: str) -> str | None:
    """The mark, or None."""
    try:
        found = target.client("ssm").get_parameter(Name=_name(target, what))
    except AwsError as error:
        if error.code == "ParameterNotFound":
            return None
        raise
    return str(found["Parameter"]["Value"])


def write(target: Target, what: str, value: str) -> None:
    """Sets a mark."""
    name = _name(target, what)
    target.client("ssm").put_parameter(Name=name, Value=value, Type="String", Overwrite=True)


def drop(target: Target, what: str) -> None:
    """Removes a mark, if it is there."""
    try:
        target.client("ssm").delete_parameter(Name=_name(target, what))
    except AwsError as error:
        if error.code != "ParameterNotFound":
            raise


def _name(target: Target, what: str) -> str:
    return f"/{target.settings.prefix}/applied/{what}"
