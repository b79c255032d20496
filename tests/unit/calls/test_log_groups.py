"""The log groups that `medallion logs` reads are those that the templates make."""

from __future__ import annotations

from exercises import World

from medallion_cli.operations import logs
from medallion_cli.operations.template import parse_template
from medallion_cli.operations.validation.deployment import simulate

OF_THIS_MACHINE = "engines"  # AWS has no such group


def test_every_group_that_is_read_is_made(world: World) -> None:
    templates = {stack: parse_template(body) for stack, body in world.package.templates.items()}
    made = {
        str(group["LogGroupName"])
        for _, _, group in simulate(world.settings, templates).of_type("AWS::Logs::LogGroup")
    }
    for where in logs.GROUPS.keys() - {OF_THIS_MACHINE}:
        found = logs.groups(world.target(), world.outputs, world.settings, where)
        assert set(found) <= made, where
