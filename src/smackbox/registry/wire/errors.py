"""The API's errors: an HTTP status, a code of five digits and a sentence.

Source: Confluent's Schema Registry API reference, https://docs.confluent.io/platform/current/schema-registry/develop/api.html
"""

from __future__ import annotations

from smackbox.base.errors import RequestError


class Refusal(RequestError):  # noqa: N818 - it is an answer
    """An answer other than success. The status is the code's first three digits."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.code if self.code < 1000 else self.code // 100


def subject_not_found(subject: str) -> Refusal:
    """40401."""
    return Refusal(40401, f"Subject '{subject}' not found.")


def version_not_found(version: object) -> Refusal:
    """40402."""
    return Refusal(40402, f"Version {version} not found.")


def schema_not_found(schema_id: int | None = None) -> Refusal:
    """40403."""
    return Refusal(40403, "Schema not found" if schema_id is None else f"Schema {schema_id} not found")


def subject_soft_deleted(subject: str) -> Refusal:
    """40404."""
    return Refusal(40404, f"Subject '{subject}' was soft deleted. Set permanent=true to delete permanently")


def subject_not_soft_deleted(subject: str) -> Refusal:
    """40405."""
    return Refusal(40405, f"Subject '{subject}' was not deleted first before being permanently deleted")


def version_soft_deleted(subject: str, version: int) -> Refusal:
    """40406."""
    return Refusal(
        40406, f"Subject '{subject}' Version {version} was soft deleted. Set permanent=true to delete permanently"
    )


def version_not_soft_deleted(subject: str, version: int) -> Refusal:
    """40407."""
    return Refusal(
        40407, f"Subject '{subject}' Version {version} was not deleted first before being permanently deleted"
    )


def no_subject_level(subject: str) -> Refusal:
    """40408."""
    return Refusal(40408, f"Subject '{subject}' does not have subject-level compatibility configured")


def no_subject_mode(subject: str) -> Refusal:
    """40409."""
    return Refusal(40409, f"Subject '{subject}' does not have subject-level mode configured")


def incompatible(subject: str, messages: list[str]) -> Refusal:
    """409, the one code of three digits."""
    details = ", ".join(messages)
    return Refusal(
        409,
        f'Schema being registered is incompatible with an earlier schema for subject "{subject}", details: [{details}]',
    )


def invalid_schema(reason: str) -> Refusal:
    """42201."""
    return Refusal(42201, f"Invalid schema: {reason}")


def invalid_version(version: str) -> Refusal:
    """42202."""
    return Refusal(
        42202,
        f"The specified version '{version}' is not a valid version id. Allowed values are between [1, 2^31-1] and the "
        'string "latest"',
    )


def invalid_level(level: object, levels: tuple[str, ...]) -> Refusal:
    """42203."""
    return Refusal(42203, f"Invalid compatibility level {level!r}. Valid values are {', '.join(levels)}")


def invalid_mode(mode: object, modes: tuple[str, ...]) -> Refusal:
    """42204."""
    return Refusal(42204, f"Invalid mode {mode!r}. Valid values are {', '.join(modes)}")


def not_permitted(reason: str) -> Refusal:
    """42205."""
    return Refusal(42205, reason)


def reference_exists(references: str) -> Refusal:
    """42206."""
    return Refusal(42206, f"One or more references exist to the schema {references}.")


def id_does_not_match(schema_id: int, present: int) -> Refusal:
    """42207."""
    return Refusal(42207, f"Schema already registered with id {present} instead of input id {schema_id}")


def invalid_subject(subject: str, reason: str) -> Refusal:
    """42208."""
    return Refusal(42208, f"The specified subject '{subject}' is not a valid subject: {reason}")


def store_failed(reason: str) -> Refusal:
    """50001."""
    return Refusal(50001, f"Error in the backend data store: {reason}")


def store_timed_out(reason: str) -> Refusal:
    """50002."""
    return Refusal(50002, f"Operation timed out: {reason}")
