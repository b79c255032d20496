"""EventBridge Scheduler: durable schedules and the clock that fires them."""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from medallion_cli.local.protocol import Service, ServiceError
from medallion_cli.local.services.schedule_expression import next_fire

if TYPE_CHECKING:
    from medallion_cli.local.runtime import Runtime

log = logging.getLogger("medallion.scheduler")
TICK_SECONDS = 1.0
DEFAULT = "default"
FIELDS = (
    "ScheduleExpression", "ScheduleExpressionTimezone", "State", "Target", "FlexibleTimeWindow",
    "Description", "StartDate", "EndDate", "KmsKeyArn", "ActionAfterCompletion",
)  # fmt: skip


def create(runtime: Runtime) -> Service:
    """The service."""
    return Scheduler(runtime)


class Scheduler(Service):
    """Amazon EventBridge Scheduler. What came due while nothing ran is skipped; nothing fires twice."""

    name = "scheduler"

    def __init__(self, runtime: Runtime, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.runtime = runtime
        self.clock = clock
        self.lock = threading.RLock()
        self.ended = threading.Event()
        self.ticker: threading.Thread | None = None
        self.schedules: dict[str, dict[str, Any]] = runtime.store.load("schedules", {})
        self.groups: dict[str, dict[str, Any]] = runtime.store.load("schedule_groups", {})

    def start(self) -> None:
        """Starts the clock; what was missed is skipped."""
        with self.lock:
            now = self.clock()
            for schedule in self.schedules.values():
                if schedule["Next"] and datetime.fromisoformat(schedule["Next"]) <= now:
                    self._plan(schedule)
            self._save()
        self.ticker = threading.Thread(target=self._run, name="scheduler", daemon=True)
        self.ticker.start()

    def stop(self) -> None:
        """Stops the clock."""
        self.ended.set()
        if self.ticker is not None:
            self.ticker.join(5)

    # Schedules

    def create_schedule(self, params: dict[str, Any]) -> dict[str, Any]:
        """ENABLED unless State says otherwise."""
        with self.lock:
            if self._key(params) in self.schedules:
                raise ServiceError("ConflictException", f"Schedule {params['Name']} already exists.", 409)
            return self._put(params, self.clock())

    def update_schedule(self, params: dict[str, Any]) -> dict[str, Any]:
        """Replaces the whole schedule."""
        with self.lock:
            return self._put(params, datetime.fromisoformat(self._found(params)["CreationDate"]))

    def get_schedule(self, params: dict[str, Any]) -> dict[str, Any]:
        """The whole schedule."""
        return self._shown(self._found(params), FIELDS)

    def delete_schedule(self, params: dict[str, Any]) -> dict[str, Any]:
        """Forgets it."""
        with self.lock:
            self._found(params)
            del self.schedules[self._key(params)]
            self._save()
        return {}

    def list_schedules(self, params: dict[str, Any]) -> dict[str, Any]:
        """By name."""
        found = [
            self._shown(schedule, ("State",)) | {"Target": {"Arn": schedule["Target"]["Arn"]}}
            for _, schedule in sorted(self.schedules.items())
            if schedule["GroupName"] == params.get("GroupName", schedule["GroupName"])
            and schedule["State"] == params.get("State", schedule["State"])
            and schedule["Name"].startswith(params.get("NamePrefix", ""))
        ]
        return {"Schedules": found}

    # Groups

    def create_schedule_group(self, params: dict[str, Any]) -> dict[str, Any]:
        """Just a name."""
        with self.lock:
            if params["Name"] == DEFAULT or params["Name"] in self.groups:
                raise ServiceError(
                    "ConflictException", f"Schedule group {params['Name']} already exists.", 409
                )
            self.groups[params["Name"]] = {"CreationDate": self.clock().isoformat()}
            self._save()
        return {"ScheduleGroupArn": self._arn(f"schedule-group/{params['Name']}")}

    def get_schedule_group(self, params: dict[str, Any]) -> dict[str, Any]:
        """Name, ARN, state."""
        self._known_group(params["Name"])
        return {
            "Name": params["Name"],
            "Arn": self._arn(f"schedule-group/{params['Name']}"),
            "State": "ACTIVE",
        }

    def list_schedule_groups(self, params: dict[str, Any]) -> dict[str, Any]:
        """All of them, `default` among them."""
        return {
            "ScheduleGroups": [self.get_schedule_group({"Name": name}) for name in (DEFAULT, *self.groups)]
        }

    def delete_schedule_group(self, params: dict[str, Any]) -> dict[str, Any]:
        """With every schedule in it."""
        with self.lock:
            self._known_group(params["Name"])
            self.groups.pop(params["Name"], None)
            self.schedules = {k: s for k, s in self.schedules.items() if s["GroupName"] != params["Name"]}
            self._save()
        return {}

    # Firing

    def tick(self) -> None:
        """Fires what is due. The next time is kept before a target is called: a crash never repeats."""
        due: list[dict[str, Any]] = []
        with self.lock:
            now = self.clock()
            for schedule in self.schedules.values():
                if schedule["Next"] and datetime.fromisoformat(schedule["Next"]) <= now:
                    due.append({**schedule, "Scheduled": schedule["Next"]})
                    self._plan(schedule)
            if due:
                self._save()
        for schedule in due:
            self._fire(schedule)

    def _run(self) -> None:
        while not self.ended.wait(TICK_SECONDS):
            try:
                self.tick()
            except Exception:  # whatever one schedule meets, the clock goes on
                log.exception("a tick failed")

    def _fire(self, schedule: dict[str, Any]) -> None:
        log.info("%s fires", schedule["Name"])
        try:
            _target(self.runtime, schedule["Target"], _input(schedule, self._arn))
        except ServiceError as error:
            log.warning("%s: %s", schedule["Name"], error)

    def _put(self, params: dict[str, Any], created: datetime) -> dict[str, Any]:
        group = params.get("GroupName", DEFAULT)
        self._known_group(group)
        now = self.clock().isoformat()
        schedule = {name: _text(params[name]) for name in FIELDS if name in params}
        schedule = {"ScheduleExpressionTimezone": "UTC", "State": "ENABLED", **schedule}
        schedule |= {
            "Name": params["Name"],
            "GroupName": group,
            "CreationDate": created.isoformat(),
            "LastModificationDate": now,
        }
        self._plan(schedule)
        self.schedules[self._key(params)] = schedule
        self._save()
        return {"ScheduleArn": self._arn(f"schedule/{group}/{params['Name']}")}

    def _plan(self, schedule: dict[str, Any]) -> None:
        """Sets when it fires next; a rate counts from StartDate or from when it was last written."""
        now = self.clock()
        anchor = datetime.fromisoformat(schedule.get("StartDate") or schedule["LastModificationDate"])
        zone = schedule["ScheduleExpressionTimezone"]
        try:
            moment = next_fire(schedule["ScheduleExpression"], max(now, anchor), anchor, zone)
        except ValueError as error:
            raise ServiceError("ValidationException", str(error)) from error
        end = schedule.get("EndDate")
        if moment is None or schedule["State"] != "ENABLED" or (end and moment > datetime.fromisoformat(end)):
            schedule["Next"] = None
        else:
            schedule["Next"] = moment.isoformat()

    def _shown(self, schedule: dict[str, Any], fields: tuple[str, ...]) -> dict[str, Any]:
        shown = {name: schedule[name] for name in ("Name", "GroupName", *fields) if name in schedule}
        for name in (
            "CreationDate",
            "LastModificationDate",
            *(n for n in ("StartDate", "EndDate") if n in shown),
        ):
            shown[name] = datetime.fromisoformat(schedule[name])
        return shown | {"Arn": self._arn(f"schedule/{schedule['GroupName']}/{schedule['Name']}")}

    def _found(self, params: dict[str, Any]) -> dict[str, Any]:
        found = self.schedules.get(self._key(params))
        if found is None:
            raise ServiceError("ResourceNotFoundException", f"Schedule {params['Name']} does not exist.", 404)
        return found

    def _known_group(self, name: str) -> None:
        if name != DEFAULT and name not in self.groups:
            raise ServiceError("ResourceNotFoundException", f"Schedule group {name} does not exist.", 404)

    def _key(self, params: dict[str, Any]) -> str:
        return f"{params.get('GroupName', DEFAULT)}/{params['Name']}"

    def _arn(self, resource: str) -> str:
        return f"arn:aws:scheduler:{self.runtime.region}:{self.runtime.account}:{resource}"

    def _save(self) -> None:
        self.runtime.store.save("schedules", self.schedules)
        self.runtime.store.save("schedule_groups", self.groups)


def _text(value: Any) -> Any:
    if not isinstance(value, datetime):
        return value
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()


def _input(schedule: dict[str, Any], arn: Callable[[str], str]) -> str:
    """The target's input with Scheduler's context attributes filled in."""
    moment = datetime.fromisoformat(schedule["Scheduled"])
    values = {
        "schedule-arn": arn(f"schedule/{schedule['GroupName']}/{schedule['Name']}"),
        "scheduled-time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "execution-id": str(uuid.uuid4()),
        "attempt-number": "1",
    }
    text = str(schedule["Target"].get("Input", "{}"))
    for name, value in values.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


def _target(runtime: Runtime, target: dict[str, Any], text: str) -> None:
    """Calls a state machine, a function, or any API (a universal target)."""
    arn = target["Arn"]
    if ":states:" in arn and ":stateMachine:" in arn:
        runtime.call(
            "stepfunctions", "StartExecution", stateMachineArn=arn, name=str(uuid.uuid4()), input=text
        )
    elif ":lambda:" in arn:
        runtime.call("lambda", "Invoke", FunctionName=arn, InvocationType="Event", Payload=text.encode())
    elif arn.startswith("arn:aws:scheduler:::aws-sdk:sfn:startExecution"):
        given = {key[0].lower() + key[1:]: value for key, value in json.loads(text).items()}
        runtime.call("stepfunctions", "StartExecution", **given)
    elif ":sns:" in arn:
        runtime.call("sns", "Publish", TopicArn=arn, Message=text)
    else:
        raise ServiceError("ValidationException", f"the embedded AWS cannot call {arn} on a schedule")
