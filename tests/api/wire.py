"""A client with short time-outs, and runs that go over the wire."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from airflow_provider_pinterest.api.client import Client
from airflow_provider_pinterest.api.credentials import Credential, Tokens
from airflow_provider_pinterest.api.events_endpoint import Answer, EventsEndpoint
from airflow_provider_pinterest.api.rate_limit import RateLimiter
from airflow_provider_pinterest.conversions.batches import Batcher
from airflow_provider_pinterest.conversions.outcomes import RowBatch
from airflow_provider_pinterest.delivery.checkpoint import KEY, Checkpoint
from airflow_provider_pinterest.delivery.dispatcher import Dispatcher
from airflow_provider_pinterest.delivery.pipeline import Mailbox, PipelineRun
from airflow_provider_pinterest.delivery.progress import Progress
from airflow_provider_pinterest.delivery.rejects import Rejects
from airflow_provider_pinterest.delivery.sections import SectionCutter
from airflow_provider_pinterest.delivery.sender import OnUnknownOutcome, Sender
from airflow_provider_pinterest.delivery.stop import StopSignal
from airflow_provider_pinterest.delivery.stored_state import read_state
from airflow_provider_pinterest.redaction import Secret
from airflow_provider_pinterest.sandbox import Sandbox
from tests.delivery.world import NOW, FailingStateStore, MemoryFolder, read_ahead, row_batches

ACCOUNT = Sandbox.ad_account_id


class OneAccount(EventsEndpoint):
    """The events endpoint with an account, and what its client can do."""

    def __init__(
        self, url: str, credential: Any, *, account: str = ACCOUNT, test: bool = False, **options: Any
    ) -> None:
        super().__init__(Client(url, credential, **options), test=test)
        self.account = account
        self.credential = self.client.credential
        self.renew = self.client.renew
        self.abort = self.client.abort
        self.close = self.client.close

    def send(self, ad_account_id: str, body: bytes, events: int, **options: Any) -> Answer:
        return super().send(ad_account_id or self.account, body, events, **options)

    def post(self, body: bytes, events: int, **options: Any) -> Answer:
        return self.send(self.account, body, events, **options)


@contextmanager
def client(url: str, **options: Any) -> Iterator[OneAccount]:
    """Return a client with short time-outs."""
    options = {"timeouts": (2.0, 5.0, 10.0), **options}
    credential = options.pop("credential", None) or Credential(Tokens(Secret(options.pop("token", Sandbox.token))))
    made = OneAccount(url, credential, **options)
    try:
        yield made
    finally:
        made.close()


class WireScenario:
    """Runs of one source over the wire; what an attempt leaves behind stays for the next.

    :param kinds: what the source's rows become, in order.
    """

    def __init__(self, url: str, kinds: Sequence[str], **options: Any) -> None:
        self.url = url
        self.kinds = list(kinds)
        self.on_unknown_outcome: OnUnknownOutcome | None = options.pop("on_unknown_outcome", None)
        self.batch_size: int = options.pop("batch_size", 10)
        self.in_flight: int = options.pop("in_flight", 4)
        self.max_wait: float = options.pop("max_wait", 20.0)
        self.client_options = options
        self.store = FailingStateStore()
        self.folder = MemoryFolder()
        self.stop = StopSignal()

    def run_attempt(self, source: Iterator[RowBatch] | None = None) -> PipelineRun:
        """Make one attempt."""
        stored = self.store.get(KEY)
        resume = read_state(stored) if stored else None
        assert resume is None or isinstance(resume, Checkpoint)
        with client(self.url, connections=self.in_flight, **self.client_options) as pinterest:
            sender = Sender(
                pinterest,
                RateLimiter(f"{self.url}/{uuid.uuid4()}", calls_per_minute=10**6),
                on_unknown_outcome=self.on_unknown_outcome,
                max_wait=self.max_wait,
                wall=lambda: NOW,
                jitter=lambda: 0.01,
            )
            self.stop.on_set(sender.abort)
            mailbox = Mailbox()
            progress = Progress(
                resume or Checkpoint({"f": "1"}, NOW),
                self.store,
                rejects=Rejects(self.folder, attempt=1, keep=resume.keeps if resume else None),
                every_answers=self.in_flight,
                may_resend=sender.may_resend,
                ahead=2 * self.in_flight * self.batch_size,
                on_unknown_outcome=self.on_unknown_outcome,
            )
            batcher = Batcher(self.batch_size)
            cutter = SectionCutter(batcher, resume)
            self.run = PipelineRun(
                read_ahead(cutter, source or row_batches(self.kinds), mailbox),
                batcher,
                progress,
                Dispatcher(sender, self.in_flight, mailbox.wake),
                resume=resume,
                stop=self.stop,
                mailbox=mailbox,
            )
            self.run.deliver()
            self.run.counters.check(len(self.kinds))
            self.store.delete(KEY)
            return self.run
