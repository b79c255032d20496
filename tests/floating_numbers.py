"""Binary numbers and their canonical text, the same for every engine."""

from __future__ import annotations

TEXTS = {
    "0": "0e-10",
    "-1.5": "-15000000000e-10",
    "0.1": "1000000000e-10",
    "123.45678901234567": "1234567890123e-10",
    "123456.78901234567": "12345678901e-5",  # as a decimal, other digits on Redshift than on MySQL
    "-99999.99999999999": "-1000000000000000e-10",
    "100000": "10000000000e-5",
    "123456789012345678": "1234567890123e5",
    "5e-324": "0e-10",
    "1e29": "100000000000000e15",  # larger than a decimal of ten places
    "1e300": "beyond",
    "-1e300": "-beyond",
}


def rows_sql(engine: str) -> str:
    """A relation of all of them: `n` and `x`, in order."""
    double = "DOUBLE PRECISION" if engine == "redshift" else "DOUBLE"
    return " UNION ALL ".join(f"SELECT {n} AS n, CAST('{x}' AS {double}) AS x" for n, x in enumerate(TEXTS))
