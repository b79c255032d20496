"""Which resource types the embedded AWS acts on: one handler a type, one module a service."""

from __future__ import annotations

from medallion_cli.local.cloudformation.resources.handler import Handler


def handlers() -> dict[str, Handler]:
    """Active types by name; every other type must be declared inert."""
    from medallion_cli.local.cloudformation.resources import (
        dms,
        functions,
        glue,
        messaging,
        rds,
        redshift,
        roles,
        schedule,
        secrets,
        states,
        storage,
    )

    modules = (dms, functions, glue, messaging, rds, redshift, roles, schedule, secrets, states, storage)
    return {name: handler for module in modules for name, handler in module.HANDLERS.items()}
