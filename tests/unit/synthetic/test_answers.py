"""What the source function answers fits a Lambda's answer."""

from __future__ import annotations

import json

from medallion_cli.synthetic.rows import LONGEST, MOST, fitted


def test_many_long_values_are_cut_until_they_fit() -> None:
    wide = [tuple("ü" * 3000 for _ in range(20)) for _ in range(MOST)]
    rows = fitted(wide)
    assert len(json.dumps(rows)) < 6_000_000
    assert len(rows) == MOST
    assert str(rows[0][0]).endswith("…")


def test_few_are_as_long_as_they_may_be() -> None:
    assert fitted([(None, b"\x01\xff", "a" * LONGEST, "b" * (LONGEST + 1))]) == [
        [None, "01FF", "a" * LONGEST, "b" * (LONGEST - 1) + "…"]
    ]
