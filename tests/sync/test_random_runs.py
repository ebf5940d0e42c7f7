"""Random runs with ad accounts, an outcome table, rejects, exclusions, Clear and `only`, against a model of every row.

Calls fail at random, and some attempts die at a random step: from then on they change neither the state, nor the table,
nor the rejects.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import random
import sqlite3
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_pinterest.api.interruptible import Stopped
from airflow_provider_pinterest.delivery import ledger, rejects
from airflow_provider_pinterest.exceptions import CredentialError, PinterestError, RefusedError, ResultError
from airflow_provider_pinterest.sandbox import Sandbox
from airflow_provider_pinterest.sync import (
    AttemptInfo,
    FileSource,
    FileStateStore,
    IterableSource,
    OutcomeTable,
    StopSignal,
)
from tests.outcomes.reading import table
from tests.running import row
from tests.sync.plain import ObservedRun
from tests.sync.plain import run as plain_run

ACCOUNTS = ("701", "702", "703")
BLOCK = 5
"""Stories of a test."""


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    monkeypatch.setattr(rejects, "PART_ROWS", 2)
    monkeypatch.setattr(ledger, "LOOK_AGAIN", ())


class KilledError(BaseException):
    """The process is dead."""


class Death:
    """Ends an attempt at one of its steps. Every later step fails, too.

    :param steps: steps until then; ``None``: it does not end.
    """

    def __init__(self, steps: int | None, stop: StopSignal) -> None:
        self._left = steps
        self._stop = stop

    @property
    def came(self) -> bool:
        return self._left is not None and self._left <= 0

    def step(self) -> None:
        if self._left is None:
            return
        self._left -= 1
        if self._left <= 0:
            self._stop.set()
            raise KilledError

    def guard(self) -> None:
        """End before a call, in the thread that sends."""
        with suppress(KilledError):
            self.step()
        if self.came:
            raise Stopped


class MortalStore(FileStateStore):
    """A state store that is used by a process that dies."""

    def __init__(self, path: Path, death: Death) -> None:
        super().__init__(path)
        self._death = death

    def set(self, key: str, value: Any) -> None:
        self._death.step()
        super().set(key, value)
        self._death.step()


class MortalConnection:
    """A connection, or a cursor, that is used by a process that dies."""

    def __init__(self, inner: Any, death: Death) -> None:
        self._inner = inner
        self._death = death

    def execute(self, *arguments: Any) -> MortalConnection:
        self._death.step()
        return MortalConnection(self._inner.execute(*arguments), self._death)

    def commit(self) -> None:
        self._death.step()
        self._inner.commit()

    def cursor(self) -> MortalConnection:
        return MortalConnection(self._inner.cursor(), self._death)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


MortalConnection.__module__ = "sqlite3"  # the dialect follows from the driver


class Story:
    """Some runs over the same rows, one after another, with one outcome table."""

    def __init__(self, seed: int, sandbox: Sandbox, folder: Path) -> None:
        self.chance = random.Random(seed)  # noqa: S311
        self.sandbox = sandbox
        self.folder = folder
        self.connect = partial(sqlite3.connect, folder / "outcomes.db")
        self.batch_size = self.chance.randint(1, 4)
        self.in_flight = self.chance.randint(1, 3)
        self.files = self.chance.random() < 0.5
        self.kinds: dict[int, str] = {}
        self.account = ACCOUNTS[0]
        self.rows = [self.new_row(number) for number in range(self.chance.randint(8, 24))]
        self.attempts: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()

    def new_row(self, number: int) -> dict[str, Any]:
        self.kinds[number] = kind = self.chance.choices(("good", "bad", "nameless", "excluded"), (80, 10, 5, 5))[0]
        self.account = self.chance.choice(ACCOUNTS) if self.chance.random() < 0.5 or not number else self.account
        return row(
            number,
            account="" if kind == "nameless" else self.account,
            action_source=self.chance.choice(("web", "offline")),
            currency="QQQ" if kind == "bad" else "EUR",
            consent="no" if kind == "excluded" else "yes",
            receipt=f"r-{number}",
        )

    def correct(self, number: int) -> None:
        self.kinds[number] = "good"
        account = self.rows[number]["account"] or self.chance.choice(ACCOUNTS)
        self.rows[number] |= {"currency": "EUR", "account": account}

    def faults(self) -> None:
        for _ in range(self.chance.choice((1, 2, 3))):
            account = self.chance.choice(ACCOUNTS)
            after, times = self.chance.randint(0, 1), self.chance.choice((1, None, None))
            match self.chance.choice(("status", "status", "status", "refused", "lost", "failed")):
                case "status":
                    status = self.chance.choice((500, 503, 503))
                    self.sandbox.fault("status", status=status, after=after, times=times, ad_account_id=account)
                case "refused":
                    self.sandbox.fault("status", status=403, after=after, ad_account_id=account)
                case "lost":
                    self.sandbox.fault("drop", times=1, after_accepting=True, ad_account_id=account)
                case "failed":
                    number = self.chance.randrange(len(self.rows))
                    self.sandbox.fault("fail_event", event_id=f"order-{number}")

    def attempt(
        self, run: str, rows: list[dict[str, Any]], clear: int, *, disturbed: bool, **options: Any
    ) -> ObservedRun | None:
        """Make one attempt; return what it did, ``None`` if it died."""
        self.sandbox.clear_faults()
        if disturbed:
            self.faults()
        stop = StopSignal()
        dies = disturbed and self.chance.random() < 0.3
        death = Death(self.chance.randint(3, 60) if dies else None, stop)
        self.attempts[run] += 1
        call = {
            "state": MortalStore(self.folder / f"{run}.json", death),
            "attempt": AttemptInfo(number=self.attempts[run], identity={"clear": clear}, guard=death.guard),
            "outcomes": OutcomeTable(lambda: MortalConnection(self.connect(), death), run),
            "stop": stop,
        }
        ran = None
        with suppress(KilledError):
            ran = plain_run(
                self.source(run, rows),
                self.sandbox,
                call=call,
                ad_account_id_column="account",
                consent_column="consent",
                key_columns=["receipt"],
                field_map={"receipt": None},
                max_rejected=1.0,
                max_wait=dt.timedelta(),
                batch_size=self.batch_size,
                max_in_flight=self.in_flight,
                rejects_path=str(self.folder / run),
                skip_already_sent=True,
                **options,
            )
        self.ends["killed" if death.came else type(ran and ran.error).__name__] += 1
        return None if death.came else ran

    def source(self, run: str, rows: list[dict[str, Any]]) -> Any:
        if not self.files:
            return IterableSource(rows)
        path = self.folder / f"{run}.csv"
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return FileSource(path)

    def to_the_end(self, run: str, rows: list[dict[str, Any]], *, disturbed: int, **options: Any) -> ObservedRun:
        """Make attempts until the run is complete; the first ones are disturbed."""
        clear = self.attempts[run]
        for number in range(disturbed + 2):
            ran = self.attempt(run, rows, clear, disturbed=number < disturbed, **options)
            if ran is not None and (ran.error is None or isinstance(ran.error, ResultError)):
                return ran
            if ran is not None and isinstance(ran.error, CredentialError | RefusedError):
                clear += 1
            assert ran is None or isinstance(ran.error, PinterestError), ran.error
            assert ran is None or type(ran.error).__name__ != "ResendRefusedError", ran.said
        raise AssertionError(f"it never ended: {self.ends}")

    def check(self, ran: ObservedRun, run: str, numbers: range) -> None:
        """Compare the result of a run over some rows with the table and the rejects."""
        kinds = Counter(self.kinds[number] for number in numbers)
        assert ran["rows_read"] == len(numbers)
        assert ran["rows_rejected"] == kinds["bad"] + kinds["nameless"]
        assert ran["rows_excluded"] == kinds["excluded"]
        events = {
            (self.rows[number]["account"], f"order-{number}") for number in numbers if self.kinds[number] == "good"
        }
        known = {(one["ad_account_id"], one["event_id"]): one["status"] for one in table(self.connect)}
        for account in (None, *ACCOUNTS):
            counts = ran.result if account is None else ran["accounts"].get(account, Counter())
            statuses = Counter(known.get(event) for event in events if account in (None, event[0]))
            assert statuses["processed"] == counts["events_processed"] + counts["already_sent"], account
            assert statuses["failed"] == counts["events_failed"], account
            assert statuses["held"] == counts["events_held"], account
            assert statuses.total() == statuses["processed"] + statuses["failed"] + statuses["held"], statuses
        parts = list((self.folder / run).glob("*.ndjson"))
        stages = Counter(json.loads(line)["stage"] for part in parts for line in part.read_text().splitlines())
        counted = {
            "validation": ran["rows_rejected"],
            "pinterest": ran["events_failed"],
            "outcome_unknown": ran["events_held"],
        }
        assert stages == Counter(counted)

    def check_server(self, *, sent_again: frozenset[str] = frozenset()) -> None:
        """Compare what arrived with the rows."""
        good = {(self.rows[n]["account"], f"order-{n}"): n for n, kind in self.kinds.items() if kind == "good"}
        known = {(one["ad_account_id"], one["event_id"]): one["status"] for one in table(self.connect)}
        arrived = Counter((one.ad_account_id, one.event_id) for one in self.sandbox.events())
        assert arrived.keys() <= good.keys(), "an event arrived at another account, or was not valid"
        for event, number in good.items():
            if known.get(event) == "processed":
                assert arrived[event], f"{event} is processed and did not arrive"
            if self.rows[number]["action_source"] == "offline" and event[1] not in sent_again:
                assert arrived[event] <= 1, f"{event} was counted twice"


def tell(story: Story) -> None:
    """Let three runs send overlapping rows, and send again what was rejected, failed or held."""
    chance = story.chance
    sent_again: set[str] = set()
    for run in ("monday", "tuesday", "wednesday"):
        first = chance.randrange(len(story.rows) // 2)
        last = chance.randrange(first + 3, len(story.rows))
        numbers = range(first, last + 1)
        for _ in range(chance.choice((1, 2))):
            rows = story.rows[first : last + 1]
            story.check(story.to_the_end(run, rows, disturbed=chance.randint(1, 3)), run, numbers)
            story.check_server(sent_again=frozenset(sent_again))
        wanted = chance.choice(("rejected", "failed", "held"))
        before = [one for one in table(story.connect) if one["status"] == wanted]
        if wanted == "held":
            sent_again |= {one["event_id"] for one in before}
        if wanted == "rejected":
            for number in numbers:
                if story.kinds[number] in ("bad", "nameless") and chance.random() < 0.6:
                    story.correct(number)
        ran = story.to_the_end(
            f"{run}-{wanted}", story.rows[first : last + 1], disturbed=chance.randint(0, 3), only=wanted
        )
        after = {one["outcome_key"]: one["status"] for one in table(story.connect)}
        receipts = {f'{{"receipt":"r-{number}"}}' for number in numbers if story.kinds[number] == "good"}
        left = [one for one in before if one["key_columns"] in receipts and after.get(one["outcome_key"]) == "rejected"]
        assert not left, "a corrected row is still rejected"
        assert "sending" not in after.values()
        assert ran["rows_read"] == len(numbers)
        story.check_server(sent_again=frozenset(sent_again))


@pytest.mark.parametrize("block", [1, 4])
def test_every_event_arrives_at_its_account_and_table_result_and_rejects_agree(block, tmp_path):
    ends: Counter[str] = Counter()
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        (tmp_path / str(seed)).mkdir()
        with Sandbox() as sandbox:
            sandbox.settings(calls_per_window=0)
            story = Story(seed, sandbox, tmp_path / str(seed))
            try:
                tell(story)
            except AssertionError as error:
                error.add_note(f"seed {seed}, {story.ends}")
                raise
        ends += story.ends

    for end in ("killed", "UnavailableError", "ResultError", "NoneType"):  # otherwise this would prove little
        assert ends[end] > 1, ends
