"""Secrets Manager: durable, 0600."""

from __future__ import annotations

import secrets
import string
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from medallion_cli.local.protocol import Service, ServiceError

if TYPE_CHECKING:
    from medallion_cli.local.runtime import Runtime


def create(runtime: Runtime) -> Service:
    """The service."""
    return SecretsManager(runtime)


class SecretsManager(Service):
    """AWS Secrets Manager with AWSCURRENT and AWSPREVIOUS."""

    name = "secretsmanager"

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def create_secret(self, params: dict[str, Any]) -> dict[str, Any]:
        """A new secret; its ARN ends in six random characters, as on AWS."""
        name = params["Name"]
        if self._find(name) is not None:
            raise ServiceError(
                "ResourceExistsException", f"The operation failed because the secret {name} already exists."
            )
        suffix = "".join(secrets.choice(string.ascii_letters) for _ in range(6))
        arn = f"arn:aws:secretsmanager:{self.runtime.region}:{self.runtime.account}:secret:{name}-{suffix}"
        secret = {
            "arn": arn,
            "name": name,
            "description": params.get("Description", ""),
            "kms": params.get("KmsKeyId"),
            "tags": params.get("Tags", []),
            "created": datetime.now(UTC).isoformat(),
            "versions": [],
        }
        return self._write(secret, params.get("SecretString"))

    def put_secret_value(self, params: dict[str, Any]) -> dict[str, Any]:
        """A new current version."""
        return self._write(self._existing(params["SecretId"]), params.get("SecretString"))

    def update_secret(self, params: dict[str, Any]) -> dict[str, Any]:
        """Description and, when given, a new current version."""
        secret = self._existing(params["SecretId"])
        secret["description"] = params.get("Description", secret["description"])
        secret["kms"] = params.get("KmsKeyId", secret["kms"])
        return self._write(secret, params.get("SecretString"))

    def get_secret_value(self, params: dict[str, Any]) -> dict[str, Any]:
        """The current value (or the stage or version asked for)."""
        secret = self._existing(params["SecretId"])
        stage, wanted = params.get("VersionStage", "AWSCURRENT"), params.get("VersionId")
        for version in secret["versions"]:
            if version["id"] == wanted if wanted else version["stage"] == stage:
                return {
                    "ARN": secret["arn"],
                    "Name": secret["name"],
                    "VersionId": version["id"],
                    "SecretString": version["value"],
                    "VersionStages": [version["stage"]],
                    "CreatedDate": datetime.fromisoformat(version["created"]),
                }
        raise ServiceError(
            "ResourceNotFoundException", "Secrets Manager can't find the specified secret value."
        )

    def describe_secret(self, params: dict[str, Any]) -> dict[str, Any]:
        """Everything but the value."""
        secret = self._existing(params["SecretId"])
        return {
            "ARN": secret["arn"],
            "Name": secret["name"],
            "Description": secret["description"],
            "Tags": secret["tags"],
            "CreatedDate": datetime.fromisoformat(secret["created"]),
            "VersionIdsToStages": {v["id"]: [v["stage"]] for v in secret["versions"]},
        }

    def delete_secret(self, params: dict[str, Any]) -> dict[str, Any]:
        """At once: an embedded secret has no recovery window."""
        secret = self._existing(params["SecretId"])
        self.runtime.store.delete(_document(secret["name"]))
        return {"ARN": secret["arn"], "Name": secret["name"], "DeletionDate": datetime.now(UTC)}

    def list_secrets(self, params: dict[str, Any]) -> dict[str, Any]:
        """All of them, without values."""
        return {"SecretList": [{"ARN": s["arn"], "Name": s["name"]} for s in self._all()]}

    def tag_resource(self, params: dict[str, Any]) -> dict[str, Any]:
        """Adds or replaces tags."""
        secret = self._existing(params["SecretId"])
        tags = {t["Key"]: t for t in [*secret["tags"], *params["Tags"]]}
        secret["tags"] = list(tags.values())
        self.runtime.store.save(_document(secret["name"]), secret)
        return {}

    def untag_resource(self, params: dict[str, Any]) -> dict[str, Any]:
        """Takes tags away."""
        secret = self._existing(params["SecretId"])
        secret["tags"] = [tag for tag in secret["tags"] if tag["Key"] not in params["TagKeys"]]
        self.runtime.store.save(_document(secret["name"]), secret)
        return {}

    def get_random_password(self, params: dict[str, Any]) -> dict[str, Any]:
        """Letters, digits and, unless excluded, punctuation."""
        excluded = params.get("ExcludeCharacters", "")
        classes = [string.ascii_lowercase, string.ascii_uppercase, string.digits]
        if not params.get("ExcludePunctuation"):
            classes.append("!#$%&()*+,-.:;<=>?[]^_{|}~")
        pools = [kept for pool in classes if (kept := "".join(c for c in pool if c not in excluded))]
        length = params.get("PasswordLength", 32)
        letters = [secrets.choice(pool) for pool in pools]
        letters += [secrets.choice("".join(pools)) for _ in range(length - len(letters))]
        secrets.SystemRandom().shuffle(letters)
        return {"RandomPassword": "".join(letters[:length])}

    def _write(self, secret: dict[str, Any], value: str | None) -> dict[str, Any]:
        version = uuid.uuid4().hex
        if value is not None:
            kept = [{**v, "stage": "AWSPREVIOUS"} for v in secret["versions"] if v["stage"] == "AWSCURRENT"]
            now = datetime.now(UTC).isoformat()
            secret["versions"] = [
                {"id": version, "stage": "AWSCURRENT", "value": value, "created": now},
                *kept,
            ]
        self.runtime.store.save(_document(secret["name"]), secret)
        return {"ARN": secret["arn"], "Name": secret["name"], "VersionId": version}

    def _all(self) -> list[dict[str, Any]]:
        return [self.runtime.store.load(name) for name in self.runtime.store.names("secrets")]

    def _find(self, name: str) -> dict[str, Any] | None:
        return next((s for s in self._all() if name in (s["name"], s["arn"])), None)

    def _existing(self, name: str) -> dict[str, Any]:
        if (found := self._find(name)) is None:
            raise ServiceError(
                "ResourceNotFoundException", "Secrets Manager can't find the specified secret."
            )
        return found


def _document(name: str) -> str:
    return "secrets/" + name.replace("/", "%2F")
