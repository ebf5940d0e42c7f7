"""What an orchestrator knows about an attempt, and the state that earlier attempts left."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from airflow_provider_pinterest.delivery.checkpoint import KEY, Checkpoint, Finished, UnreadableStateError
from airflow_provider_pinterest.delivery.fingerprints import fingerprint
from airflow_provider_pinterest.delivery.resuming import Attempt
from airflow_provider_pinterest.delivery.sender import OnUnknownOutcome
from airflow_provider_pinterest.delivery.stored_state import read_state
from airflow_provider_pinterest.state_store import StateStore
from airflow_provider_pinterest.sync.options import SyncOptions, defaults_of
from airflow_provider_pinterest.sync.verdict import WITHOUT_ORCHESTRATOR, Vocabulary

DECISIVE: Final = (
    "field_map",
    "identifiers",
    "defaults",
    "event_id_from",
    "timezone",
    "max_event_age",
    "key_columns",
)
"""Options that decide which events the rows give; a checkpoint is valid only for the same values."""

NEWER: Final = (
    "placeholders",
    "event_names",
    "consent_column",
    "minimum_age",
    "excluded_categories",
    "exclude_bots",
    "exclude_networks",
    "ad_account_id_column",
    "only",
)
"""More such options, added later. Only values other than the defaults count, because older checkpoints lack them."""


@dataclass(frozen=True, kw_only=True)
class AttemptInfo:
    """What an orchestrator knows about an attempt. Without an orchestrator, the defaults are right.

    :param number: of the attempt, from 1; ``None``: nobody counts attempts.
    :param identity: the same for all retries of a run, another one after it was cleared; empty: unknown.
    :param may_be_forgotten: whether something that an earlier attempt stored may be gone.
    :param carried: the state that an earlier attempt handed over, if it was not stored.
    :param guard: called before each call; raises ``Stopped`` when this process must not send any more.
    :param earlier_rejects: folders where an earlier version wrote rejects of this run.
    :param fingerprint_v2: fingerprint of the parameters, as an earlier version stored it.
    :param vocabulary: the orchestrator's terms, for messages.
    """

    number: int | None = None
    identity: Mapping[str, Any] = field(default_factory=dict)
    may_be_forgotten: bool = False
    carried: Mapping[str, Any] | None = None
    guard: Callable[[], None] = lambda: None
    earlier_rejects: Sequence[Any] = ()
    fingerprint_v2: str = ""
    vocabulary: Vocabulary = WITHOUT_ORCHESTRATOR


def attempt_of(
    info: AttemptInfo,
    options: SyncOptions,
    source: Mapping[str, object],
    *,
    account: str,
    host: str,
    remembers: bool,
    ledger: str = "",
    clock: Callable[[], float] = time.time,
) -> Attempt:
    """Return this attempt, for the comparison with earlier ones.

    :param source: fingerprint of the source.
    :param host: base URL of the API.
    :param remembers: whether there is a state store.
    :param ledger: the ledger that tells which events were sent; empty if there is none.
    """
    defaults = defaults_of(SyncOptions)
    decisive = {name: getattr(options, name) for name in DECISIVE}
    decisive |= {name: value for name in NEWER if (value := getattr(options, name)) != defaults[name]}
    return Attempt(
        number=(info.number or 1) if options.sends else 1,  # other runs do not store an attempt and do not read one
        fingerprint=fingerprint(host=host, ad_account_id=account, **decisive, **source),
        fingerprint_v2=info.fingerprint_v2,
        identity=info.identity,
        now=clock(),
        remembers=remembers,
        may_be_forgotten=info.may_be_forgotten,
        may_resend_any=options.on_unknown_outcome == OnUnknownOutcome.RESEND,
        send_again=options.send_everything_again,
        ledger=ledger,
        selects=options.only is not None,
    )


class ReadOnce:
    """A state store that a run reads once, so that it ignores what other processes store later.

    :param store: where the run's state is kept.
    """

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._known: dict[str, Any] = {}

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key at the first read, or the value that this run has stored since."""
        if key not in self._known:
            self._known[key] = self._store.get(key)
        found = self._known[key]
        return default if found is None else found

    def set(self, key: str, value: Any) -> None:
        """Store a value under a key."""
        self._store.set(key, value)
        self._known[key] = value


def stored_state(store: StateStore | None, carried: Mapping[str, Any] | None) -> Checkpoint | Finished | str | None:
    """Return the newest state that earlier attempts left; a text with the reason if it cannot be read.

    :param carried: the state that an earlier attempt passed on. A later attempt may have stored a newer one.
    """
    stored = store.get(KEY) if store else None
    here = None if stored is None else _read(stored)
    brought = None if carried is None else _read(carried)
    if isinstance(here, str):
        return here
    if isinstance(brought, str):
        return here or brought
    if here is None or brought is None:
        return here or brought
    return here if here.written >= brought.written else brought


def fence(store: StateStore | None, checkpoint: Checkpoint) -> None:
    """Check that no other attempt has replaced this one, before any rejects are changed.

    A stored state is written back unchanged. Any exception of the store ends the run.

    :param checkpoint: stored if nothing is stored yet.
    """
    if store is not None:
        stored = store.get(KEY)
        store.set(KEY, checkpoint.as_json() if stored is None else stored)


def _read(stored: object) -> Checkpoint | Finished | str:
    try:
        return read_state(stored)
    except UnreadableStateError as error:
        return str(error)
