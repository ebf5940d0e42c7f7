"""The settings of the local Pinterest, their defaults and checks. They can be changed while it runs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypedDict, cast, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

PartialFailure = Literal["422-details", "422-top", "422-bare", "200"]
UnknownFields = Literal["refuse", "accept"]
RetryHeader = Literal["x-ratelimit-reset", "retry-after", "retry-after-date", "none"]


class SettingsChanges(TypedDict, total=False):
    """The settings, as keyword arguments. The names are those of ``SandboxSettings``."""

    partial_failure: PartialFailure
    retry_header: RetryHeader
    calls_per_window: int
    window_seconds: float
    test_calls_per_window: int
    test_window_seconds: float
    max_body_bytes: int
    ad_account_ids: tuple[str, ...] | None
    rotate_refresh_token: bool
    keep_json: bool
    max_deletion_targets: int
    deletion_pending_seconds: float
    unknown_fields: UnknownFields


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """The settings of the local Pinterest.

    :param partial_failure: the form of the response when some events failed. Pinterest does not publish it.
    :param retry_header: the header of a 429 response that says when to retry.
    :param calls_per_window: calls per account in any ``window_seconds``; 0 means no limit.
    :param test_calls_per_window: test calls of all accounts in any ``test_window_seconds``; 0 means no limit.
    :param max_body_bytes: larger request bodies get a 413 response.
    :param ad_account_ids: the accounts that exist; None: all.
    :param rotate_refresh_token: whether a refresh also replaces the refresh token.
    :param keep_json: whether the JSON of events is stored. Without it, a million events need little memory.
    :param max_deletion_targets: addresses or click ids in a deletion request; 0 means no limit. Pinterest does not
        publish a limit.
    :param deletion_pending_seconds: how long a deletion request is pending.
    :param unknown_fields: whether a request with an undocumented property is refused.
    """

    partial_failure: PartialFailure = "422-details"
    retry_header: RetryHeader = "x-ratelimit-reset"
    calls_per_window: int = 5000
    window_seconds: float = 60.0
    test_calls_per_window: int = 10
    test_window_seconds: float = 1.0
    max_body_bytes: int = 5_000_000
    ad_account_ids: tuple[str, ...] | None = None
    rotate_refresh_token: bool = False
    keep_json: bool = True
    max_deletion_targets: int = 0
    deletion_pending_seconds: float = 259_200.0
    unknown_fields: UnknownFields = "refuse"

    def changed(self, changes: Mapping[str, object]) -> SandboxSettings:
        """Return these settings with some of them changed.

        :raises ValueError: a name is unknown or a value is invalid.
        """
        known = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for name, value in changes.items():
            if name not in known:
                raise ValueError(f"unknown setting {name!r}; expected one of {', '.join(known)}")
            known[name] = _fitting(name, value)
        return SandboxSettings(**known)


_CHOICES: Mapping[str, tuple[str, ...]] = {
    "partial_failure": get_args(PartialFailure),
    "retry_header": get_args(RetryHeader),
    "unknown_fields": get_args(UnknownFields),
}
_SWITCHES = frozenset({"rotate_refresh_token", "keep_json"})
_WHOLE = frozenset({"calls_per_window", "test_calls_per_window", "max_body_bytes", "max_deletion_targets"})


def _fitting(name: str, value: object) -> object:
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            raise ValueError(f"{name} must be one of {', '.join(_CHOICES[name])}")
        return value
    if name == "ad_account_ids":
        if value is None:
            return None
        if isinstance(value, (list, tuple)) and all(isinstance(account, str) for account in value):
            return tuple(cast("list[str]", value))
        raise ValueError("ad_account_ids must be a list of strings, or null for all accounts")
    if name in _SWITCHES:
        if isinstance(value, bool):
            return value
        raise ValueError(f"{name} must be true or false")
    number = int if name in _WHOLE else (int, float)
    if isinstance(value, bool) or not isinstance(value, number) or value < 0:
        raise ValueError(f"{name} must be {'a whole number' if name in _WHOLE else 'a number'}, 0 or more")
    return value
