"""py4j, which asks the JVM anew at each use of a Java name: over three hundred jars that is an eighth of Spark's CPU time."""

from __future__ import annotations

from typing import Any


def look_up_once() -> None:
    """A Java name is looked up once a process."""
    from py4j.java_gateway import JavaClass, JavaPackage, JVMView

    for kind in (JVMView, JavaPackage):
        kind.__getattr__ = _remembering(kind.__getattr__, (JavaClass, JavaPackage))


def _remembering(look_up: Any, kinds: tuple[type, ...]) -> Any:
    def once(self: Any, name: str) -> Any:
        found = look_up(self, name)
        if isinstance(found, kinds):
            self.__dict__[name] = found
        return found

    return once
