"""What the source says of itself: asked once, beside everything else, and not waited for without end."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from medallion_cli.aws.source import Source
from medallion_cli.errors import MedallionError, UsageError

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target

SECONDS = 15.0


class Asked:
    """A question on its way to the source function."""

    def __init__(self, target: Target, function_name: str) -> None:
        self._source = Source(target, function_name)
        self._found: dict[str, Any] = {}
        self._error: MedallionError | None = None
        self._thread = threading.Thread(target=self._ask, name="source", daemon=True)
        self._thread.start()

    def answer(self) -> dict[str, Any]:
        """{source, replication_user, settings, files}; MedallionError when the source refuses, or says nothing."""
        self._thread.join(SECONDS)
        if self._thread.is_alive():
            raise MedallionError(f"the source database says nothing for {SECONDS:.0f} s")
        if isinstance(self._error, UsageError):  # it does not know the question
            raise MedallionError("the source function is of another release", hint="medallion up --yes")
        if self._error is not None:
            raise self._error
        return self._found

    def _ask(self) -> None:
        try:
            self._found = self._source.call("health")
        except MedallionError as error:
            self._error = error
