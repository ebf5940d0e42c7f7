"""A client with short time-outs, and runs that go over the wire."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from airflow_provider_pinterest.api.client import Client
from airflow_provider_pinterest.api.credentials import Credential, Tokens
from airflow_provider_pinterest.api.events_endpoint import Answer, EventsEndpoint
from airflow_provider_pinterest.api.rate_limit import RateLimiter
from airflow_provider_pinterest.delivery.pipeline import PipelineRun
from airflow_provider_pinterest.delivery.sender import OnUnknownOutcome, Sender
from airflow_provider_pinterest.redaction import Secret
from airflow_provider_pinterest.sandbox import Sandbox
from tests.delivery.world import NOW, FailingStateStore, FaultPoint, Scenario

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


class WireScenario(Scenario):
    """A scenario over the wire, with threads.

    :param url: of the server; the scenario's own model of Pinterest only has the time.
    :param max_wait: of the sender.
    :param client_options: see :func:`client`.
    """

    store: FailingStateStore

    def __init__(
        self,
        url: str,
        kinds: Sequence[str],
        *,
        on_unknown_outcome: OnUnknownOutcome | None = None,
        batch_size: int = 10,
        in_flight: int = 4,
        max_wait: float = 20.0,
        **client_options: Any,
    ) -> None:
        options = {"on_unknown_outcome": on_unknown_outcome, "batch_size": batch_size, "in_flight": in_flight}
        super().__init__(kinds, random.Random(1), threads=True, **options)  # noqa: S311
        self.url = url
        self.max_wait = max_wait
        self.client_options = client_options

    @contextmanager
    def sending(self, fault_point: FaultPoint) -> Iterator[Sender]:
        with client(self.url, connections=self.in_flight, **self.client_options) as pinterest:
            made = Sender(
                pinterest,
                RateLimiter(f"{self.url}/{uuid.uuid4()}", calls_per_minute=10**6),
                on_unknown_outcome=self.on_unknown_outcome,
                max_wait=self.max_wait,
                wall=lambda: NOW,
                jitter=lambda: 0.01,
            )
            self.stop.on_set(made.abort)
            yield made

    def every_answers(self) -> int:
        return self.in_flight

    def end(self, run: PipelineRun) -> None:
        run.counters.check(len(self.kinds))
        super().end(run)
