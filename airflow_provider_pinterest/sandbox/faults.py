"""Decides which faults affect which calls. The server carries them out.

Faults are checked in the order in which they were added. Delays and headers add up; the first other fault that applies
ends the call. ``poison`` and ``fail_event`` apply to every request with their event.
"""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal[
    "status",
    "delay",
    "headers",
    "drop",
    "reset",
    "stall",
    "close",
    "malformed",
    "drip",
    "redirect",
    "poison",
    "fail_event",
]
Endpoint = Literal[
    "events",
    "account",
    "deletion_create",
    "deletion_list",
    "deletion_get",
    "deletion_cancel",
    "token",
    "conversion_token",
    "any",
]
Form = Literal["json", "html", "empty", "short_list", "long_list", "no_list"]


class FaultOptions(TypedDict, total=False):
    """The options of a fault, as keyword arguments. The names are those of ``Fault``."""

    times: int | None
    share: float
    seed: int
    after: int
    on: Endpoint
    ad_account_id: str | None
    after_accepting: bool
    status: int
    headers: Mapping[str, str]
    body: str | Mapping[str, object] | list[object] | None
    seconds: float
    form: Form
    location: str
    event_id: str
    message: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault.

    :param times: the number of calls it affects; None: all, until it is cleared.
    :param share: the share of calls it affects, selected at random with ``seed``.
    :param after: the number of calls before the first that it affects.
    :param on: the endpoint it affects; ``any``: all.
    :param ad_account_id: the account whose calls it affects; None: all.
    :param after_accepting: whether the request is processed before the fault.
    :param status: the HTTP status, for ``status``.
    :param headers: additional headers, for ``status`` and ``headers``.
    :param body: text or JSON that replaces the usual error, for ``status``.
    :param seconds: the duration, for ``delay`` and ``stall``; the time after the response, for ``close``; the time per
        byte, for ``drip``.
    :param form: how the 200 response is malformed, for ``malformed``.
    :param location: the target, for ``redirect``.
    :param event_id: the event, for ``poison`` and ``fail_event``.
    :param message: the error message of that event.
    """

    kind: Kind
    times: int | None = None
    share: float = 1.0
    seed: int = 0
    after: int = 0
    on: Endpoint = "events"
    ad_account_id: str | None = None
    after_accepting: bool = False
    status: int = 500
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: str | Mapping[str, object] | list[object] | None = None
    seconds: float = 0.05
    form: Form = "json"
    location: str = "/v5/redirected"
    event_id: str = ""
    message: str = ""


_SELECTION = frozenset({"times", "share", "seed", "after", "on", "ad_account_id"})
_OPTIONS: Mapping[Kind, frozenset[str]] = {
    "status": _SELECTION | {"status", "headers", "body", "after_accepting"},
    "delay": _SELECTION | {"seconds", "after_accepting"},
    "headers": _SELECTION | {"headers"},
    "drop": _SELECTION | {"after_accepting"},
    "reset": _SELECTION | {"after_accepting"},
    "stall": _SELECTION | {"seconds", "after_accepting"},
    "close": _SELECTION | {"seconds"},
    "malformed": _SELECTION | {"form", "after_accepting"},
    "drip": _SELECTION | {"seconds"},
    "redirect": _SELECTION | {"location"},
    "poison": frozenset({"event_id", "message"}),
    "fail_event": frozenset({"event_id", "message"}),
}
_DEFAULTS: Mapping[Kind, FaultOptions] = {
    "malformed": {"after_accepting": True},
    "drip": {"after_accepting": True},
    "close": {"after_accepting": True, "seconds": 0.0},
    "stall": {"seconds": 3600.0},
}
_TYPES: Mapping[str, tuple[type, ...]] = {
    "times": (int, type(None)),
    "share": (int, float),
    "seed": (int,),
    "after": (int,),
    "ad_account_id": (str, type(None)),
    "after_accepting": (bool,),
    "status": (int,),
    "headers": (dict,),
    "body": (str, dict, list, type(None)),
    "seconds": (int, float),
    "location": (str,),
    "event_id": (str,),
    "message": (str,),
}
_CHOICES: Mapping[str, tuple[str, ...]] = {"on": get_args(Endpoint), "form": get_args(Form)}


def fault(kind: str, options: Mapping[str, Any]) -> Fault:
    """Create a fault and check its options.

    :raises ValueError: the kind or an option is unknown or invalid. The message lists the valid ones.
    """
    known = {name: name for name in get_args(Kind)}
    if kind not in known:
        raise ValueError(f"unknown kind {kind!r}; expected one of {', '.join(known)}")
    exact: Kind = known[kind]
    for name, value in options.items():
        if name not in _OPTIONS[exact]:
            raise ValueError(f"{kind} has no option {name!r}; its options are {', '.join(sorted(_OPTIONS[exact]))}")
        if name in _CHOICES:
            if value not in _CHOICES[name]:
                raise ValueError(f"{name} must be one of {', '.join(_CHOICES[name])}")
        elif not isinstance(value, _TYPES[name]) or (isinstance(value, bool) and bool not in _TYPES[name]):
            raise ValueError(f"{name} must be of type {' or '.join(t.__name__ for t in _TYPES[name])}")
    made = Fault(exact, **{**_DEFAULTS.get(exact, {}), **options})
    if exact in ("poison", "fail_event") and not made.event_id:
        raise ValueError(f"{kind} needs an event_id")
    if not 0 <= made.share <= 1 or made.seconds < 0 or made.after < 0 or (made.times or 0) < 0:
        raise ValueError("share must be between 0 and 1; seconds, after and times must not be negative")
    if not 200 <= made.status <= 599:
        raise ValueError("status must be between 200 and 599")
    return made


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """The faults of one call: seconds to wait before and after it, additional headers, and the fault that ends it."""

    delay_before: float = 0.0
    delay_after: float = 0.0
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    ending: Fault | None = None
    names: tuple[str, ...] = ()

    def ends_with(self, *kinds: Kind) -> bool:
        """Return whether a fault of one of these kinds ends the call."""
        return self.ending is not None and self.ending.kind in kinds


NO_FAULT = FaultPlan()


class _Standing:
    """An active fault, and how many calls it has seen and affected."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.seen = 0
        self.met = 0
        self._random = random.Random(fault.seed)  # noqa: S311  # nosec B311 - repeatable, not secret

    def meets(self, endpoint: str | None, ad_account_id: str | None) -> bool:
        fault = self.fault
        if fault.on not in ("any", endpoint) or fault.ad_account_id not in (None, ad_account_id):
            return False
        self.seen += 1
        if self.seen <= fault.after or (fault.times is not None and self.met >= fault.times):
            return False
        if fault.share < 1 and self._random.random() >= fault.share:
            return False
        self.met += 1
        return True


class Faults:
    """The faults that are switched on."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Switch all faults off."""
        self._standing: list[_Standing] = []
        self.poisons: dict[str, str] = {}
        self.failing: dict[str, str] = {}

    def add(self, fault: Fault) -> None:
        """Switch a fault on."""
        if fault.kind == "poison":
            self.poisons[fault.event_id] = fault.message or "The request was invalid."
        elif fault.kind == "fail_event":
            self.failing[fault.event_id] = fault.message or "The event could not be processed."
        else:
            self._standing.append(_Standing(fault))

    def plan(self, endpoint: str | None, ad_account_id: str | None) -> FaultPlan:
        """Return the faults of the next call, and count the call."""
        if not self._standing:
            return NO_FAULT
        before = after = 0.0
        headers: dict[str, str] = {}
        names: list[str] = []
        for standing in self._standing:
            if not standing.meets(endpoint, ad_account_id):
                continue
            fault = standing.fault
            names.append(fault.kind)
            if fault.kind == "headers":
                headers |= fault.headers
            elif fault.kind != "delay":
                return FaultPlan(before, after, headers, fault, tuple(names))
            elif fault.after_accepting:
                after += fault.seconds
            else:
                before += fault.seconds
        return FaultPlan(before, after, headers, None, tuple(names))

    def listed(self) -> list[dict[str, object]]:
        """Return the active faults. ``seen`` and ``met`` count the calls that each has seen and affected."""
        rows = [{**_options(s.fault), "seen": s.seen, "met": s.met} for s in self._standing]
        rows += [{"kind": "poison", "event_id": e, "message": m} for e, m in self.poisons.items()]
        rows += [{"kind": "fail_event", "event_id": e, "message": m} for e, m in self.failing.items()]
        return rows


def _options(fault: Fault) -> dict[str, object]:
    return {name: getattr(fault, name) for name in ("kind", *sorted(_OPTIONS[fault.kind]))}
