"""One attempt to request the deletion of all people of a source."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Final

from airflow_provider_pinterest.api.connection import PinterestConnection
from airflow_provider_pinterest.api.deletion_requests_endpoint import DeletionRequestsEndpoint
from airflow_provider_pinterest.api.interruptible import NoThreadError, Stopped, start_thread
from airflow_provider_pinterest.delivery.stop import StopSignal
from airflow_provider_pinterest.erasure.created_requests import CreatedRequests
from airflow_provider_pinterest.erasure.deletion_counts import DeletionCounts, DeletionResult, clear_says, problem_of
from airflow_provider_pinterest.erasure.deletion_options import DeletionOptions
from airflow_provider_pinterest.erasure.reading import ReadAheadTargets, batches
from airflow_provider_pinterest.erasure.requester import Requester
from airflow_provider_pinterest.erasure.targets import Targets
from airflow_provider_pinterest.exceptions import PinterestError, ResultError, StoppedError
from airflow_provider_pinterest.logs import log_lines
from airflow_provider_pinterest.problems import Problems
from airflow_provider_pinterest.sources.protocol import OpenSource, Source
from airflow_provider_pinterest.state_store import StateStore
from airflow_provider_pinterest.sync.attempt import AttemptInfo

log = logging.getLogger(__name__)

GRACE: Final = 3.0
"""Seconds for the call in flight, so that its outcome is known."""

CHECK_EVERY: Final = 0.1


def request_deletion(
    source: Source,
    options: DeletionOptions,
    *,
    connection: PinterestConnection,
    state: StateStore | None = None,
    attempt: AttemptInfo | None = None,
    ended: Callable[[DeletionResult], None] = lambda _: None,
    stop: StopSignal | None = None,
) -> DeletionResult:
    """Ask Pinterest to delete the conversion data of people, and return the counts.

    With a state store, the next call with the same store does not create the same requests again.

    :param source: rows with e-mail addresses or click ids.
    :param connection: how to reach Pinterest, with an OAuth token.
    :param state: where the ids of created requests are stored; ``None``: nowhere.
    :param attempt: what an orchestrator knows about this attempt.
    :param ended: receives the counts, even if the run fails.
    :param stop: ends the run from another thread or from a signal handler.
    :raises ParameterError: an option, a column or the connection is wrong.
    :raises SourceError: the source could not be read to its end.
    :raises DeliveryError: Pinterest does not accept the requests.
    :raises ResultError: some people are in no request.
    :raises StoppedError: ``stop`` was set.
    """
    found = Problems()
    account = found.checked(connection.account, options.ad_account_id, otherwise="")
    if not options.validate_only:
        found.checked(connection.check, otherwise=None)
    found.raise_all()
    info = attempt or AttemptInfo()
    created = CreatedRequests(
        state, f"{connection.url()}/{account}", identity=info.identity, again=options.create_again
    )
    if created.remembered and not options.validate_only:
        log.info("Deletion requests that earlier attempts created: %d. They are not created again.", created.remembered)
    counts = DeletionCounts()
    began = time.monotonic()
    error: BaseException | None = None
    try:
        _request_all(
            source, options, connection, (account, created, counts), guard=info.guard, stop=stop or StopSignal()
        )
        counts.close(complete=not options.validate_only)
    except Stopped:
        error = StoppedError(f"{info.vocabulary.name} was told to stop.")
    except BaseException as raised:  # noqa: BLE001 - raised again below
        error = raised
    counts.seconds = time.monotonic() - began
    if error is not None:
        counts.close(complete=False)
    else:
        problem = problem_of(counts, options.max_rejected)
        error = None if problem is None else ResultError(problem)
    result = counts.values(account)
    log.info("Result: %s", {name: value for name, value in result.items() if name != "request_ids"})
    ended(dict(result))
    if error is None:
        return result
    said = clear_says(counts, durable=created.durable, vocabulary=info.vocabulary)
    if isinstance(error, PinterestError):
        raise (error.followed_by(said) if said else error) from None
    log_lines(log, said)
    raise error


def _request_all(
    source: Source,
    options: DeletionOptions,
    connection: PinterestConnection,
    run: tuple[str, CreatedRequests, DeletionCounts],
    *,
    guard: Callable[[], None],
    stop: StopSignal,
) -> None:
    """Request the deletion of all people."""
    account, created, counts = run
    stop.check()
    opened = source.open()
    if options.validate_only:
        with stopping(stop, opened.cancel, lambda: None):
            _each_batch(opened, options, counts, stop, lambda _: None)
        log.info("validate_only is set, so no request was created.")
        return
    limiter = connection.rate_limiter()

    def stop_now() -> None:
        limiter.stop.set()
        opened.cancel()

    with closing(connection.client()) as client, stopping(stop, stop_now, client.abort):
        endpoint = DeletionRequestsEndpoint(client, limiter, max_wait=options.max_wait.total_seconds(), guard=guard)
        requester = Requester(endpoint, account, created, counts, resend=options.on_unknown_outcome == "resend")
        _each_batch(opened, options, counts, stop, requester.request)


def _each_batch(
    opened: OpenSource,
    options: DeletionOptions,
    counts: DeletionCounts,
    stop: StopSignal,
    request: Callable[[Targets], object],
) -> None:
    """Read the rows and request each batch of people."""
    reading = ReadAheadTargets(lambda rows: batches(opened, options.columns, options.batch_size, rows), stop)
    with closing(reading):
        try:
            for targets in reading:
                request(targets)
        except BaseException:
            opened.cancel()
            raise
        finally:
            counts.rows = reading.counts


@contextmanager
def stopping(
    stop: StopSignal, at_once: Callable[[], object], after_grace: Callable[[], object], *, grace: float = GRACE
) -> Iterator[None]:
    """Watch for a stop during a block.

    :param at_once: called when the stop is requested.
    :param after_grace: called some seconds later, if the block has not ended.
    :raises PinterestError: no thread can be started.
    """
    ended = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            if ended.wait(CHECK_EVERY):
                return
        at_once()
        if not ended.wait(grace):
            after_grace()

    try:
        start_thread(watch, "pinterest-stop")
    except NoThreadError as error:
        raise PinterestError(f"A thread that waits for a stop could not be started: {error}") from None
    try:
        yield
    finally:
        ended.set()
