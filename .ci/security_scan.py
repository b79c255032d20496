"""checkov over the rendered templates of every environment on AWS; what operations/validation/accepted.py excuses is left out.

checkov pins an old boto3, so it lives in an environment of its own: `make scan`. Usage: security_scan.py CHECKOV
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from medallion_cli.assets import Assets
from medallion_cli.operations import package
from medallion_cli.operations.validation.accepted import EXCEPTIONS, accepted
from medallion_cli.settings import load_settings
from medallion_cli.spec import load_pipeline

ENVIRONMENTS = ("dev", "prod")


def main(checkov: str) -> int:
    """Exit code 1 when a check fails that has no exception, or when an exception excuses nothing."""
    with TemporaryDirectory() as folder:
        write(Path(folder))
        failed = list(failures(checkov, folder))
    unexcused = sorted(
        {f"{check} {resource}: {name}" for check, resource, name in failed if not accepted(check, resource)}
    )
    for line in unexcused:
        print(line)
    idle = {one.check for one in EXCEPTIONS} - {check for check, _, _ in failed}
    for check in sorted(idle):
        print(f"{check}: nothing needs this exception any more")
    print(f"{len(failed)} failed checks, {len(unexcused)} without an exception")
    return 1 if unexcused or idle or not failed else 0


def write(folder: Path) -> None:
    """Templates as they are deployed."""
    assets = Assets.find(Path(__file__).parents[1])
    pipeline = load_pipeline(assets)
    for env in ENVIRONMENTS:
        settings = load_settings(env, assets).model_copy(update={"prefix": f"{pipeline.name}-{env}"})
        for stack, body in package.render_templates(pipeline, assets, settings).items():
            (folder / f"{env}-{stack}.yaml").write_text(body, encoding="utf-8")


def failures(checkov: str, folder: str) -> Iterator[tuple[str, str, str]]:
    """(check, Type.LogicalId, what it says) of every failed check; checkov asks nobody."""
    command = [
        checkov,
        "--directory",
        folder,
        "--framework",
        "cloudformation",
        "--skip-download",
        "--output",
        "json",
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    report: dict[str, Any] = json.loads(ran.stdout)
    for one in report["results"]["failed_checks"]:
        yield one["check_id"], one["resource"], one["check_name"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
