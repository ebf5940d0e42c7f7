"""The form in which versions before 0.1.0 stored a checkpoint, read so that an upgrade between two attempts is safe.

A batch was addressed by its first and last event, and only valid events were hashed. The fingerprint was one hash of
all parameters; it stands under the name :data:`WHOLE`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from airflow_provider_pinterest.delivery.checkpoint import (
    Checkpoint,
    Finished,
    PendingBatch,
    UnreadableStateError,
    digest_of,
)
from airflow_provider_pinterest.delivery.result import Delivered
from airflow_provider_pinterest.delivery.rowset import RowSet

WHOLE: Final = "all parameters"
"""The name under which the fingerprint of all parameters together stands."""

VERSION: Final = 2


def fingerprint(**decisive: Any) -> str:
    """Return the fingerprint as it was made then."""
    return digest_of(decisive)


def read_v2(stored: Mapping[str, Any]) -> Checkpoint | Finished:
    """Return a checkpoint or the end of a run.

    :raises UnreadableStateError: it is neither.
    :raises KeyError: something is missing. So may do TypeError, AttributeError and ValueError.
    """
    if stored.get("finished") == VERSION:
        return _finished(stored)
    if stored["version"] != VERSION:
        raise UnreadableStateError(f"its version is {str(stored['version'])[:20]}")
    return Checkpoint(
        fingerprint={WHOLE: str(stored["fingerprint"])},
        clock=float(stored["clock"]),
        rows=int(stored["rows"]),
        digest=str(stored["events_hash"]),
        delivered=Delivered.from_json(stored["delivered"]),
        failed=RowSet.forgotten(),
        held=RowSet.forgotten(),
        offline=bool(stored["offline"]),
        pending=tuple(
            PendingBatch(
                int(first),
                int(last),
                str(digest),
                Delivered.from_json(delivered),
                _rows(doubt),
                _rows(unsent),
                float(since),
                RowSet.forgotten(),
                RowSet.forgotten(),
            )
            for first, last, digest, delivered, doubt, unsent, since in sorted(stored["marks"], key=lambda one: one[0])
        ),
        ahead=int(stored["ahead"]),
        ahead_since=float(stored["written"]),
        on_doubt=stored["on_doubt"],
        written=float(stored["written"]),
        version=VERSION,
    )


def _finished(stored: Mapping[str, Any]) -> Finished:
    """Return the end of a run, of which only the result was stored: nothing that was sent can be told apart."""
    result = dict(stored["result"])
    return Finished(
        fingerprint={},
        clock=0.0,
        rows=0,
        digest="",
        delivered=Delivered(),
        failed=RowSet.forgotten(),
        held=RowSet.forgotten(),
        offline=True,
        identity={"max_tries": stored["max_tries"]},
        result=result,
        problem=stored["problem"],
        written=0.0,
    )


def _rows(spans: Iterable[Sequence[int]]) -> RowSet:
    return RowSet((int(first), int(last)) for first, last in spans)
