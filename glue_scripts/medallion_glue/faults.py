"""How an error reads in one line: in a step file, and as the job's own message."""

from __future__ import annotations


def one_line(error: BaseException) -> str:
    """The error's first telling line; of a Java error the Java message, not py4j's."""
    lines = [line.strip(" :") for line in str(error).splitlines() if line.strip(" :")]
    if not lines:
        return type(error).__name__
    return lines[1] if type(error).__name__ == "Py4JJavaError" and len(lines) > 1 else lines[0]
