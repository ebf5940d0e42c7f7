"""The arguments of one call of :func:`~.run.sync`, and what they are checked for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_pinterest.api.connection import PinterestConnection
from airflow_provider_pinterest.conversions.exclusions import Exclusions
from airflow_provider_pinterest.conversions.mapping import ColumnMapping
from airflow_provider_pinterest.delivery.resuming import Attempt
from airflow_provider_pinterest.delivery.stop import StopSignal
from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.outcomes.table import OutcomeTable
from airflow_provider_pinterest.problems import Problems
from airflow_provider_pinterest.state_store import StateStore
from airflow_provider_pinterest.sync.attempt import AttemptInfo, ReadOnce, attempt_of
from airflow_provider_pinterest.sync.observer import SyncObserver
from airflow_provider_pinterest.sync.options import SyncOptions

if TYPE_CHECKING:
    from airflow_provider_pinterest.sources.protocol import Source


@dataclass(frozen=True)
class Parts:
    """The parts that all attempts of a call share.

    :param folder: the folder of the rejects; ``None`` if they are not written.
    :param store: the state store; ``None`` if there is none.
    """

    mapping: ColumnMapping
    exclusions: Exclusions
    account: str
    folder: Any
    store: StateStore | None
    attempt: Attempt


@dataclass(frozen=True)
class Call:
    """The arguments of one call."""

    source: Source
    options: SyncOptions
    connection: PinterestConnection | None
    state: StateStore | None
    info: AttemptInfo
    observer: SyncObserver
    stop: StopSignal
    outcomes: OutcomeTable | None = None

    def parts(self) -> Parts:
        """Create and check the parts that all attempts share.

        :raises ParameterError: the message names every problem.
        """
        options, connection = self.options, self.connection
        found = Problems()
        mapping = found.checked(options.mapping, otherwise=None)
        exclusions = found.checked(options.exclusions, otherwise=None)
        account = found.checked(self._account, otherwise="")
        folder = found.checked(_folder, options.rejects_path, otherwise=None)
        if connection is not None and not options.validate_only:
            found.checked(connection.check, otherwise=None)
        found.raise_all()
        store = ReadOnce(self.state) if self.state is not None and options.sends else None
        return Parts(
            mapping=mapping or options.mapping(),
            exclusions=exclusions or Exclusions(),
            account=account,
            folder=_own_folder(folder, options),
            store=store,
            attempt=attempt_of(
                self.info,
                options,
                self.source.fingerprint,
                account=account,
                host=connection.url() if connection is not None and not options.validate_only else "",
                remembers=store is not None,
                ledger=self._ledger(),
            ),
        )

    def _ledger(self) -> str:
        """Return the name of the ledger; empty if events are sent without one."""
        options = self.options
        wanted = options.skip_already_sent or options.only is not None
        if self.outcomes is None or not wanted or not options.sends or options.send_everything_again:
            return ""
        return self.outcomes.identity

    def _account(self) -> str:
        """Return the ad account; with ``ad_account_id_column``, that of rows that name none, which may be empty.

        :raises ParameterError: there is none, or a connection is needed and missing.
        """
        options = self.options
        if self.connection is None and not options.validate_only:
            raise ParameterError("A connection is needed, unless validate_only=True is set.")
        if self.connection is None or options.ad_account_id_column:
            return options.account
        return self.connection.account(options.ad_account_id)


def wrong_arguments(source: object, options: object, connection: object, state: object, outcomes: object) -> list[str]:
    """Return the problems with the types of arguments."""
    found = []
    if not (hasattr(source, "open") and hasattr(source, "fingerprint")):
        found.append(
            "source must be an SqlSource, a FileSource, an IterableSource or an object with fingerprint and open, got "
            f"{type(source).__name__}{_source_hint(source)}."
        )
    if not isinstance(options, SyncOptions | None):
        found.append(f"options must be SyncOptions, got {type(options).__name__}.")
    if not isinstance(connection, PinterestConnection | None):
        found.append(f"connection must be a PinterestConnection, got {type(connection).__name__}.")
    if state is not None and not (hasattr(state, "get") and hasattr(state, "set")):
        found.append(f"state must be a state store with get and set, got {type(state).__name__}.")
    if not isinstance(outcomes, OutcomeTable | None):
        found.append(f"outcomes must be an OutcomeTable, got {type(outcomes).__name__}.")
    if outcomes is None and isinstance(options, SyncOptions) and options.skip_already_sent:
        found.append("skip_already_sent=True needs an outcome table; pass outcomes=OutcomeTable(…).")
    if outcomes is None and isinstance(options, SyncOptions) and options.only is not None:
        found.append("only needs an outcome table; pass outcomes=OutcomeTable(…).")
    return found


def _source_hint(source: object) -> str:
    """Return what to pass instead of a value that is not a source."""
    if isinstance(source, str | os.PathLike):
        return "; pass FileSource(path)"
    return "; pass IterableSource(rows)" if isinstance(source, Iterable) else ""


def _own_folder(folder: Any, options: SyncOptions) -> Any:
    """Return a subfolder for runs that store no state, so that the lines of the real run stay complete."""
    if folder is None or options.sends:
        return folder
    return folder / ("validate_only" if options.validate_only else "test")


def _folder(path: Any) -> Any:
    """Return the path object of a folder.

    :raises ParameterError: it is the text of a URL: as a path, it would be a local folder of that name.
    """
    if isinstance(path, str) and "://" in path:
        raise ParameterError("rejects_path must be a local path, or a path object that opens the URL, such as a UPath.")
    return Path(path) if isinstance(path, str) else path or None
