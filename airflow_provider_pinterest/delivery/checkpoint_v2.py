"""Reads checkpoints that versions before 0.1.0 stored, so that an upgrade between two attempts is safe.

Version 2 addressed a batch by its first and last event, and hashed only valid events. Its fingerprint was one hash of
all parameters; it is kept under the name :data:`WHOLE`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from airflow_provider_pinterest.delivery import stored
from airflow_provider_pinterest.delivery.checkpoint import (
    V2_DIGEST,
    Checkpoint,
    Finished,
    PendingBatch,
    UnreadableStateError,
)
from airflow_provider_pinterest.delivery.fingerprints import digest_of
from airflow_provider_pinterest.delivery.result import DeliveryCounters
from airflow_provider_pinterest.delivery.rowset import RowSet

WHOLE: Final = "all parameters"
"""The name of the fingerprint of all parameters together."""

VERSION: Final = 2


def fingerprint(**decisive: Any) -> str:
    """Return the fingerprint that version 2 used."""
    return digest_of(decisive)


def read_v2(document: Mapping[str, Any]) -> Checkpoint | Finished:
    """Return a checkpoint or the end of a run.

    :raises UnreadableStateError: the document is neither.
    :raises KeyError: a key is missing. TypeError, AttributeError and ValueError are possible too.
    """
    if document.get("finished") == VERSION:
        return _finished(document)
    if document["version"] != VERSION:
        raise UnreadableStateError(f"unknown version {str(document['version'])[:20]}")
    return Checkpoint(
        fingerprint={WHOLE: stored.text(document["fingerprint"])},
        clock=stored.seconds(document["clock"]),
        rows=stored.count(document["rows"]),
        digest=V2_DIGEST + stored.text(document["events_hash"]),
        delivered=_delivered(document["delivered"]),
        failed=RowSet.forgotten(),
        held=RowSet.forgotten(),
        offline=stored.truth(document["offline"]),
        pending=tuple(
            PendingBatch(
                stored.count(first),
                stored.count(last),
                V2_DIGEST + stored.text(digest),
                _delivered(delivered),
                _rows(unknown),
                _rows(unsent),
                stored.seconds(since),
                RowSet.forgotten(),
                RowSet.forgotten(),
            )
            for first, last, digest, delivered, unknown, unsent, since in sorted(
                stored.items(document["marks"]), key=lambda one: stored.count(one[0])
            )
        ),
        ahead=stored.count(document["ahead"]),
        ahead_since=stored.seconds(document["written"]),
        on_unknown_outcome=stored.text_or_none(document["on_doubt"]),
        written=stored.seconds(document["written"]),
        version=VERSION,
    )


def _finished(document: Mapping[str, Any]) -> Finished:
    """Return the end of a run. Version 2 stored only its result, so it is not known which events were sent."""
    result = stored.mapping(document["result"])
    return Finished(
        fingerprint={},
        clock=0.0,
        rows=0,
        digest="",
        delivered=DeliveryCounters(),
        failed=RowSet.forgotten(),
        held=RowSet.forgotten(),
        offline=True,
        identity={"max_tries": document["max_tries"]},
        result=result,
        problem=stored.text_or_none(document["problem"]),
        written=0.0,
    )


def _delivered(values: Mapping[str, Any]) -> DeliveryCounters:
    return DeliveryCounters.from_json({**values, "latencies": values["lags"]})


def _rows(spans: Iterable[Sequence[int]]) -> RowSet:
    ranges = [(stored.whole(first, 1), stored.count(last)) for first, last in spans]
    ends = [end for span in ranges for end in span]
    if ends != sorted(ends):
        raise ValueError("not rows in order")
    return RowSet(ranges)
