"""SNS topics: a message is kept as a line of the topic's log, since nobody subscribes on one machine."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from medallion_cli.local.protocol import Service, ServiceError

if TYPE_CHECKING:
    from medallion_cli.local.runtime import Runtime


def create(runtime: Runtime) -> Service:
    """The service."""
    return Sns(runtime)


class Sns(Service):
    """Amazon SNS."""

    name = "sns"

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def create_topic(self, params: dict[str, Any]) -> dict[str, Any]:
        """Idempotent by name."""
        arn = f"arn:aws:sns:{self.runtime.region}:{self.runtime.account}:{params['Name']}"
        with self.runtime.store.changing("sns", {}) as topics:
            topics.setdefault(arn, {}).update(params.get("Attributes") or {})
        return {"TopicArn": arn}

    def delete_topic(self, params: dict[str, Any]) -> dict[str, Any]:
        """No error when it is not there."""
        with self.runtime.store.changing("sns", {}) as topics:
            topics.pop(params["TopicArn"], None)
        return {}

    def list_topics(self, params: dict[str, Any]) -> dict[str, Any]:
        """All of them."""
        return {"Topics": [{"TopicArn": arn} for arn in self._topics()]}

    def get_topic_attributes(self, params: dict[str, Any]) -> dict[str, Any]:
        """Its attributes."""
        return {"Attributes": {**self._topic(params["TopicArn"]), "TopicArn": params["TopicArn"]}}

    def set_topic_attributes(self, params: dict[str, Any]) -> dict[str, Any]:
        """Sets one attribute."""
        self._topic(params["TopicArn"])
        with self.runtime.store.changing("sns", {}) as topics:
            topics[params["TopicArn"]][params["AttributeName"]] = params.get("AttributeValue", "")
        return {}

    def subscribe(self, params: dict[str, Any]) -> dict[str, Any]:
        """Accepted, and never confirmed: nothing leaves this machine, the topic's log has every message."""
        self._topic(params["TopicArn"])
        return {"SubscriptionArn": "pending confirmation"}

    def publish(self, params: dict[str, Any]) -> dict[str, Any]:
        """Appends the message to the topic's log."""
        arn = params["TopicArn"]
        self._topic(arn)
        message = {
            "at": datetime.now(UTC).isoformat(),
            "subject": params.get("Subject"),
            "message": params["Message"],
        }
        with self.runtime.log(f"sns/{arn.rpartition(':')[2]}", "messages").open(
            "a", encoding="utf-8"
        ) as file:
            file.write(json.dumps(message) + "\n")
        return {"MessageId": str(uuid.uuid4())}

    def _topics(self) -> dict[str, Any]:
        topics: dict[str, Any] = self.runtime.store.load("sns", {})
        return topics

    def _topic(self, arn: str) -> dict[str, Any]:
        topics = self._topics()
        if arn not in topics:
            raise ServiceError("NotFound", "Topic does not exist", 404)
        found: dict[str, Any] = topics[arn]
        return found
