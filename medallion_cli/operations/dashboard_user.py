"""The warehouse's user for dashboards: an analyst, who reads gold's open and masked views and changes nothing.

QuickSight signs in with its secret, never as the administrator. The warehouse is told a hash; a rotated secret is set by `up`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator
from typing import TYPE_CHECKING

from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Finished, Started
from medallion_cli.operations import marks
from medallion_cli.privacy import ANALYST

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target
    from medallion_cli.settings import Settings

MARK = "dashboard-user"
STEP = "dashboard user"


def keep_dashboard_user(
    target: Target, found: dict[str, str], settings: Settings
) -> Generator[Event, None, None]:
    """Makes the user, or sets its password again where the secret is another one; nothing when neither is due."""
    from medallion_cli.aws.warehouse import connect

    if "DashboardSecretArn" not in found:
        return
    secret = target.client("secretsmanager").get_secret_value(SecretId=found["DashboardSecretArn"])
    version = f"{secret['ARN']} {secret['VersionId']} {found['WarehouseSecretArn']}"
    if marks.read(target, MARK) == version:
        return
    yield Started(STEP)
    document = json.loads(secret["SecretString"])
    user, password = str(document["username"]), str(document["password"])
    warehouse = connect(target, found, settings.connection)
    known = {str(name) for (name,) in warehouse.execute("SELECT usename FROM pg_user").rows}
    try:
        warehouse.batch(statements(user, password, known=user in known))
    except MedallionError as error:  # never with the statement, which has the hash
        raise MedallionError(f"{STEP}: the warehouse took no user {user}", hint="medallion up") from error
    marks.write(target, MARK, version)
    yield Finished(STEP, user)


def statements(user: str, password: str, *, known: bool) -> list[str]:
    """One transaction: the user and its role; the password as Redshift keeps it, 'md5' and the digest of it and the name."""
    digest = hashlib.md5(f"{password}{user}".encode(), usedforsecurity=False).hexdigest()
    if known:
        return [f"ALTER USER {user} PASSWORD 'md5{digest}'"]
    return [f"CREATE USER {user} PASSWORD 'md5{digest}'", f"GRANT ROLE {ANALYST} TO {user}"]
