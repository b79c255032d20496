"""Runs one invocation: `lambda_worker.py HANDLER`, on stdin a line {"request", "timeout"} and the event, the answer on stdout.

Started in the function's folder with the function's environment; only the standard library and the zip are imported, before
the event comes. Without an event it ends.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import time
import traceback


class Context:
    """Lambda's context object."""

    def __init__(self, request: str, timeout: float) -> None:
        self.aws_request_id = request
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = "$LATEST"
        self.memory_limit_in_mb = int(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"])
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self._deadline = time.monotonic() + timeout

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the function is ended."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def main(handler: str) -> None:
    """One invocation; what the function prints goes to its log."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.path[0] = os.environ["LAMBDA_TASK_ROOT"]
    module, _, function = handler.replace("/", ".").rpartition(".")
    with contextlib.suppress(Exception):  # told when it is wanted
        importlib.import_module(module)
    head, _, payload = sys.stdin.buffer.read().partition(b"\n")
    if not head:
        return
    told = json.loads(head)
    try:
        act = getattr(importlib.import_module(module), function)
        result = act(json.loads(payload or b"{}"), Context(told["request"], float(told["timeout"])))
        answer.write(b"result\n" + json.dumps(result).encode())
    except Exception as error:  # noqa: BLE001 (a handler may raise anything; Lambda reports it)
        traceback.print_exc()
        trace = traceback.format_tb(error.__traceback__)
        failure = {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": trace}
        answer.write(b"error\n" + json.dumps(failure).encode())
    answer.flush()


if __name__ == "__main__":
    main(sys.argv[1])
