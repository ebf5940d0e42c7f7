"""Planted rows whose cells and expected values are written one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from demo.kinds import Fate, Feed, Kind

REACHES_PINTEREST: Final = frozenset({Fate.SENT, Fate.LEFT_OUT, Fate.WARNED})

Cells = dict[str, Any]


class Row(NamedTuple):
    """One planted row.

    :param cells: the columns in which it differs from an ordinary row.
    :param arrives: path in the event → the value that must arrive; ``None``: nothing may arrive there.
    :param warning: the code of a further warning that counts it.
    """

    cells: Cells
    arrives: Mapping[str, Any] = {}
    warning: str = ""


class Case(NamedTuple):
    """One kind of trouble, and its rows."""

    name: str
    becomes: str
    story: str
    rows: Sequence[Row]
    feed: Feed = Feed.OLD_SHOP

    @property
    def kind(self) -> Kind:
        """The kind, in the form of the other feeds."""
        return Kind(self.feed, self.name, len(self.rows), self.becomes, self.story)


def differences(
    case: Case,
    rows: Iterable[tuple[str, Mapping[str, Any]]],
    events: Mapping[str, Mapping[str, Any]],
    rejects: Mapping[str, Sequence[str]],
) -> list[str]:
    """Return which rows of a case do not have the expected outcome.

    :param rows: the key of each row of the case, and path in the event → the value that must arrive.
    :param events: key → the event that arrived.
    :param rejects: key → the codes of the reasons for which the row was rejected.
    """
    found = []
    for key, expected in rows:
        event = events.get(key)
        if case.kind.fate not in REACHES_PINTEREST:
            found += [f"{key} arrived"] if event is not None else []
        elif event is None:
            found.append(f"{key} did not arrive")
        else:
            found += [
                f"{key}: {path} has another value than expected"
                for path in expected
                if at(event, path) != expected[path]
            ]
        if list(rejects.get(key, ())) != ([case.kind.reason] if case.kind.fate is Fate.REJECTED else []):
            found.append(f"{key} has other reasons among the rejects")
    return found


def at(event: Mapping[str, Any], path: str) -> Any:
    """Return the value of an event at a dotted path; ``None`` if there is none."""
    place: Any = event
    for name in path.split("."):
        place = place.get(name) if isinstance(place, dict) else None
    return place
