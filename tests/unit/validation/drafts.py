"""A copy of a project whose parsed files can be changed; it knows which templates were."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

from medallion_cli.operations.validation.project import Environment, Project
from medallion_cli.warehouse import Statement

Document = dict[str, Any]


class Draft:
    """Changes reach every environment that shares the template, as a changed file would."""

    def __init__(self, project: Project) -> None:
        environments = {
            name: Environment(e.settings, dict(e.templates)) for name, e in project.environments.items()
        }
        self.project = replace(
            project,
            environments=environments,
            statements=list(project.statements),
            views=dict(project.views),
            files=dict(project.files),
            staging=dict(project.staging),
        )
        self.changed: set[str] = set()

    def template(self, stack: str) -> Document:
        """A stack's template, to be changed."""
        if stack not in self.changed:
            self.changed.add(stack)
            for document in {id(e.templates[stack]): e.templates[stack] for e in self._all()}.values():
                copied = deepcopy(document)
                for environment in self._all():
                    if environment.templates[stack] is document:
                        environment.templates[stack] = copied
        return self.project.environments["dev"].templates[stack]

    def _all(self) -> list[Environment]:
        return list(self.project.environments.values())

    def resource(self, stack: str, logical: str) -> Document:
        """A whole resource."""
        found: Document = self.template(stack)["Resources"][logical]
        return found

    def properties(self, stack: str, logical: str) -> Document:
        """A resource's properties."""
        found: Document = self.resource(stack, logical)["Properties"]
        return found

    def text(self, stack: str, logical: str, key: str, edit: Callable[[Any], object]) -> None:
        """Edits the JSON text of a property."""
        properties = self.properties(stack, logical)
        document = json.loads(properties[key])
        edit(document)
        properties[key] = json.dumps(document)

    def state(self, name: str) -> Document:
        """A state of the machine; `store` writes it back."""
        self._machine = json.loads(self.properties("orchestration", "Machine")["DefinitionString"])
        found: Document = self._machine["States"][name]
        return found

    def machine(self, edit: Callable[[Document], object]) -> None:
        """Edits the state machine."""
        self.text("orchestration", "Machine", "DefinitionString", edit)

    def settings(self, env: str, **changes: Any) -> None:
        """Changes keys of configs/<env>.yaml."""
        environment = self.project.environments[env]
        environment.settings = environment.settings.model_copy(update=changes)

    def parameter(self, env: str, name: str, value: str) -> None:
        """Sets one of `parameters` in configs/<env>.yaml."""
        given = self.project.environments[env].settings.parameters
        self.settings(env, parameters={**given, name: value})

    def sql(self, name: str, old: str, new: str) -> None:
        """Replaces text in the statements of this name."""
        found = [s for s in self.project.statements if s.name == name]
        assert any(old in s.sql for s in found), f"{name} has no {old}"
        self.project.statements = [
            Statement(s.name, s.sql.replace(old, new)) if s.name == name else s
            for s in self.project.statements
        ]

    def view(self, name: str, old: str, new: str) -> None:
        """Replaces text in a view's file."""
        assert old in self.project.views[name]
        self.project.views[name] = self.project.views[name].replace(old, new)

    def model(self, name: str, **changes: Any) -> None:
        """Changes a model of the specification."""
        pipeline = self.project.pipeline
        models = tuple(replace(m, **changes) if m.name == name else m for m in pipeline.models)
        self.project.pipeline = replace(pipeline, models=models)

    def column(self, table: str, old: str, new: str) -> None:
        """Gives a source table's column another name."""
        pipeline = self.project.pipeline
        columns = tuple(replace(c, name=new) if c.name == old else c for c in pipeline.table(table).columns)
        tables = tuple(replace(t, columns=columns) if t.name == table else t for t in pipeline.tables)
        self.project.pipeline = replace(pipeline, tables=tables)

    def select(self, name: str, old: str, new: str) -> None:
        """Replaces text in a model's SELECT."""
        select = str(self.project.pipeline.model(name).select)
        assert old in select
        self.model(name, select=select.replace(old, new))
