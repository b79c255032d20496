"""The command that a hint names is one for the environment at hand."""

from __future__ import annotations

import pytest

from medallion_cli import INSTALL_LOCAL
from medallion_cli.cli import _in_this_environment


@pytest.mark.parametrize(
    ("words", "hint", "shown"),
    [
        (["up"], "mend it, then: medallion up", "mend it, then: medallion up"),
        (["--env", "prod", "up"], "mend it, then: medallion up", "mend it, then: medallion --env prod up"),
        (["--env=dev", "-p", "/x", "up"], "medallion up", "medallion --env dev --project /x up"),
        (["-p", "/tmp/my\\1 shop", "up"], "medallion up", "medallion --project '/tmp/my\\1 shop' up"),
        (["-e", "dev", "up"], "medallion --env dev unlock", "medallion --env dev unlock"),
        (["-e", "dev", "up"], INSTALL_LOCAL, INSTALL_LOCAL),
    ],
)
def test_a_hint_goes_on_in_the_same_environment(words: list[str], hint: str, shown: str) -> None:
    assert _in_this_environment(hint, words) == shown
