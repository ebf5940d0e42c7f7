"""The same model, with a source that changes between two attempts, and tasks that are cleared at any moment."""

from __future__ import annotations

import random
from collections import Counter

import orjson
import pytest

from airflow_provider_pinterest.api.rate_limit import Stopped
from airflow_provider_pinterest.conversions.outcomes import RowBatch
from airflow_provider_pinterest.delivery import rejects
from airflow_provider_pinterest.delivery.checkpoint import KEY, Checkpoint, Finished
from airflow_provider_pinterest.delivery.resuming import Attempt, Start, decide_start, start_over
from airflow_provider_pinterest.delivery.sections import SourceChangedError, needs_verification, verify_finished
from airflow_provider_pinterest.delivery.sender import OnUnknownOutcome
from airflow_provider_pinterest.delivery.stored_state import read_state
from airflow_provider_pinterest.exceptions import DeliveryError, RefusedError, ResendRefusedError
from tests.delivery.test_model import CONDITIONS, adds_up
from tests.delivery.world import (
    COLUMNS,
    NOW,
    FaultPoint,
    InterruptedTask,
    KilledError,
    ModelPinterest,
    Scenario,
    ids_of,
    row,
    transform,
)

BLOCK = 50
"""Scenarios of a test."""

DISTURBED_ATTEMPTS = 6
"""How many attempts of a scenario meet faults and changes."""


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(rejects, "PART_ROWS", 2)


class KindRecordingPinterest(ModelPinterest):
    """Knows of which kind each accepted copy was."""

    def __init__(self, chance):
        super().__init__(chance)
        self.as_kind: dict[str, Counter[str]] = {"web": Counter(), "offline": Counter()}
        self._kinds: dict[str, str] = {}

    def answer(self, body):
        self._kinds = {one["event_id"]: one["action_source"] for one in orjson.loads(body)["data"]}
        assert list(self._kinds) == ids_of(body)
        return super().answer(body)

    def _accept(self, ids):
        for one in ids:
            if one not in self.failing:
                self.as_kind[self._kinds[one]][one] += 1
        super()._accept(ids)


class NothingToDoError(Exception):
    """A retry has found the end of its run."""


class ClearedScenario(Scenario):
    """A task that begins each attempt as the operator does.

    :param rows_: kind and number of each row; the number makes its id.
    """

    def __init__(self, rows_, chance, **options):
        super().__init__([kind for kind, _ in rows_], chance, **options)
        self.source = list(rows_)
        self.pinterest = KindRecordingPinterest(chance)
        self.cleared = 0
        self.over = False
        self.before: Finished | None = None
        self.start = Start(Checkpoint({"f": "1"}, NOW))

    @property
    def events(self):
        found: dict[str, str] = {}
        for kind, number in self.source:
            if kind != "invalid":
                found.setdefault(f"e-{number}", kind)
        return found

    @property
    def rows(self):
        return range(1, len(self.source) + 1)

    @property
    def ended(self):
        """Whether the end of a run is stored."""
        assert self.store is not None
        return KEY in self.store.values and isinstance(read_state(self.store.get(KEY)), Finished)

    def attempt(self):
        return Attempt(
            self.attempts,
            {"f": "1"},
            "",
            {"cleared": self.cleared},
            NOW,
            may_resend_any=self.on_unknown_outcome is OnUnknownOutcome.RESEND,
        )

    def begin(self):
        assert self.store is not None
        stored = self.store.get(KEY)
        state = read_state(stored) if stored else None
        self.before = state if isinstance(state, Finished) else state.earlier if state else None
        if self.over:
            self.start = start_over(self.start.checkpoint, self.attempt(), "The rows of the source")
            self.before = None
            return self.start
        found = decide_start(state, self.attempt())
        if isinstance(found, Finished):
            raise NothingToDoError
        self.start = found
        return found

    def read(self, fault_point=None):
        size, part = self.chance.randint(1, 9), []
        for kind, number in self.source:
            if fault_point is not None:
                fault_point.step(main=True)
            part.append(row(kind, number))
            if len(part) == size:
                yield RowBatch(COLUMNS, part)
                part = []
        if part:
            yield RowBatch(COLUMNS, part)

    def verify(self, cutter, resume, fault_point):
        earlier = resume.earlier if resume else None
        resends_held = self.on_unknown_outcome is OnUnknownOutcome.RESEND
        if earlier is not None and needs_verification(earlier, resends_held=resends_held):
            cutter.expect(
                verify_finished(transform().events(self.read(fault_point)), earlier, resends_held=resends_held)
            )

    def about_to_send(self, checkpoint):
        if checkpoint.unknown_before is not None:
            raise ResendRefusedError("It is not known what was sent.")

    def end(self, run):
        progress = run.progress
        progress.finish(progress.finished(identity={"cleared": self.cleared}, result={}, problem=None))

    def try_once(self, fault_point=None):
        """Make one attempt; where the source has changed, decide as the operator does."""
        self.over = False
        try:
            return self.run_attempt(fault_point)
        except SourceChangedError:
            self.over = True
        return self.run_attempt(fault_point)


def a_source(chance):
    found = []
    for number in range(1, chance.randint(2, 30)):
        kind = chance.choice(("web", "web", "offline", "invalid"))
        found.append((kind, number))
        if kind != "invalid" and chance.random() < 0.1:
            found.append((kind, number))
    return found


def cleared_scenario(seed, *, kinds=None):
    chance = random.Random(seed)  # noqa: S311
    source = a_source(chance)
    if kinds:
        source = [(chance.choice(kinds), number) for _, number in source]
    made = ClearedScenario(
        source,
        chance,
        on_unknown_outcome=chance.choice((None, None, None, OnUnknownOutcome.HOLD, OnUnknownOutcome.RESEND)),
        batch_size=chance.randint(1, 6),
        in_flight=chance.randint(1, 4),
    )
    valid = sorted(made.events)
    made.pinterest.failing = set(chance.sample(valid, min(len(valid), chance.choice((0, 1, 3)))))
    return made


def change(made, *, flips=True):
    """Change one to three things in the source, anywhere."""
    chance, source = made.chance, made.source
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(source)) if source else 0
        word = chance.choice(("insert", "append", "delete", "swap", "correct", "spoil", "flip"))
        number = 1000 + chance.randrange(1_000_000)
        if word == "insert":
            source.insert(at, (chance.choice(("web", "offline", "invalid")), number))
        elif word == "append" or not source:
            source.append((chance.choice(("web", "offline", "invalid")), number))
        elif word == "delete":
            del source[at]
        elif word == "swap":
            other = chance.randrange(len(source))
            source[at], source[other] = source[other], source[at]
        else:
            kind, number = source[at]
            if word == "correct" and kind == "invalid":
                source[at] = (chance.choice(("web", "offline")), number)
            elif word == "spoil":
                source[at] = ("invalid", number)
            elif word == "flip" and kind != "invalid" and flips:
                source[at] = ("web" if kind == "offline" else "offline", number)


def a_fault_point(chance):
    if chance.random() < 0.3:
        return FaultPoint()
    length = chance.choice((3, 20, 40, 100))
    if chance.random() < 0.5:
        return FaultPoint(kill=chance.randrange(length))
    return FaultPoint(interrupt=chance.randrange(length), raises=chance.choice((InterruptedTask, OSError)))


def nothing_twice(made):
    """No event that Pinterest cannot deduplicate was accepted a second time."""
    if made.on_unknown_outcome is not OnUnknownOutcome.RESEND:
        offline = made.pinterest.as_kind["offline"]
        assert not [one for one, copies in offline.items() if copies > 1], "an offline event was accepted twice"


def complete(made, run):
    """Every row of the source is accounted for where the run says that it is finished."""
    pinterest, events, counters = made.pinterest, made.events, run.counters
    lines = made.folder.lines()
    rows_ = Counter((line["row"], line["stage"]) for line in lines)
    assert max(rows_.values(), default=0) <= 1, "a row is among the rejects twice"
    listed = {line["event_id"] for line in lines if line["stage"] != "validation"}
    lost = [one for one in events if not pinterest.copies[one] and one not in listed]
    assert not lost, "rows are lost"
    adds_up(counters)
    counters.check(len(made.source))
    delivered = counters.delivered
    assert counters.rows_not_sent == 0
    assert delivered.processed + delivered.failed + delivered.held + delivered.already_sent == len(events)
    assert counters.rows_rejected == sum(kind == "invalid" for kind, _ in made.source)
    accounted = run.progress.accounted
    if accounted.failed.complete and accounted.held.complete:
        assert delivered.failed == len(accounted.failed)
        assert delivered.held == len(accounted.held)
        assert delivered.failed == sum(line["stage"] == "pinterest" for line in lines)
        assert delivered.held == sum(line["stage"] == "outcome_unknown" for line in lines)


def run_attempts(made, met, *, changes, clears, flips=True):
    """Try until it is done and cleared often enough; return the last run, if there was one."""
    chance, run = made.chance, None
    accepted = None
    for number in range(60):
        disturbed = number < DISTURBED_ATTEMPTS
        made.pinterest.chances = chance.choice(CONDITIONS[:4]) if disturbed else {}
        kept = list(made.source)
        if number and changes and chance.random() < (0.7 if disturbed else 0.0):
            change(made, flips=flips)
            accepted = None
        if number and clears and chance.random() < 0.2 and disturbed:
            made.cleared += 1
            met["cleared in the middle"] += 1
        try:
            run = made.try_once(a_fault_point(chance) if disturbed else FaultPoint())
        except NothingToDoError:
            met["nothing to do"] += 1
        except ResendRefusedError:
            met["refused"] += 1
            nothing_twice(made)
            made.source = kept
            if not disturbed:
                return None
            continue
        except RefusedError:
            return None
        except (KilledError, InterruptedTask, OSError, DeliveryError, Stopped) as error:
            met[type(error).__name__] += 1
            nothing_twice(made)
            if made.ended:
                accepted = None  # perhaps by this attempt
            continue
        else:
            met["finished"] += 1
            met["sent again from the first row"] += made.over
            nothing_twice(made)
            complete(made, run)
            delivered = run.counters.delivered
            if accepted is not None and made.before is not None and not made.over:
                met["already sent"] += delivered.already_sent
                assert delivered.already_sent == accepted, "the counts of accepted events differ"
            accepted = delivered.processed + delivered.already_sent
        if clears == 0:
            return run
        clears -= 1
        made.cleared += 1
        if chance.random() < 0.5:
            made.pinterest.failing = set()
    raise AssertionError(f"it never ended: {met}")


def all_hold(seeds, met, *, kinds=None, **options):
    for seed in seeds:
        made = cleared_scenario(seed, kinds=kinds)
        try:
            run_attempts(made, met, **options)
        except Exception as error:
            error.add_note(f"seed {seed}, {made.on_unknown_outcome}, {met}")
            raise


@pytest.mark.parametrize("block", range(3))
def test_a_source_that_changes_is_noticed_or_the_change_is_harmless(block):
    met: Counter[str] = Counter()
    all_hold(range(block * BLOCK, (block + 1) * BLOCK), met, changes=True, clears=0)

    assert met["refused"] > 3, met
    assert met["finished"] > 5, met


@pytest.mark.parametrize("block", range(3))
def test_however_often_a_task_is_cleared_accepted_events_are_not_sent_again(block):
    met: Counter[str] = Counter()
    all_hold(range(block * BLOCK, (block + 1) * BLOCK), met, changes=False, clears=3)

    assert met["already sent"] > 50, met


@pytest.mark.parametrize("block", range(2))
def test_the_same_holds_where_it_is_not_known_which_events_failed(block, monkeypatch):
    """They may be too many to store."""
    as_json = Finished.as_json
    monkeypatch.setattr(Finished, "as_json", lambda self: as_json(self) | {"failed": None, "held": None})
    all_hold(range(block * BLOCK, (block + 1) * BLOCK), Counter(), changes=False, clears=3)


def test_it_stays_unknown_which_events_failed_however_often_a_task_is_cleared():
    """Else the second Clear counts them as accepted, and drops their lines."""
    made = cleared_scenario(3, kinds=("offline",))
    made.on_unknown_outcome = None
    made.pinterest.failing = set(sorted(made.events)[::2])
    failing = len(made.pinterest.failing)
    assert made.try_once().counters.delivered.failed == failing
    made.store.set(KEY, made.store.get(KEY) | {"failed": None})

    for _ in range(3):
        made.cleared += 1
        run = made.try_once()

        assert run.counters.delivered.failed == failing
        assert run.counters.delivered.already_sent == len(made.events) - failing
        assert not run.progress.accounted.failed.complete
        assert len(made.folder.lines()) == failing


@pytest.mark.parametrize("block", range(3))
def test_changes_and_clears_together(block):
    met: Counter[str] = Counter()
    all_hold(range(block * BLOCK, (block + 1) * BLOCK), met, changes=True, clears=2)

    assert met["finished"] > 5, met


@pytest.mark.parametrize("block", range(2))
def test_a_changed_source_of_web_events_is_sent_again_from_the_first_row(block):
    met: Counter[str] = Counter()
    all_hold(range(block * BLOCK, (block + 1) * BLOCK), met, kinds=("web", "invalid"), changes=True, clears=1)

    assert met["sent again from the first row"] > 3, met


def test_events_that_failed_are_tried_again_after_clear():
    made = cleared_scenario(3, kinds=("offline",))
    made.on_unknown_outcome = None
    made.pinterest.failing = set(sorted(made.events)[:2])
    first = made.try_once()
    assert first.counters.delivered.failed == 2

    made.pinterest.failing = set()
    made.cleared += 1
    second = made.try_once()

    assert second.counters.delivered.processed == 2
    assert second.counters.delivered.already_sent == len(made.events) - 2
    assert set(made.pinterest.copies.values()) == {1}
    assert made.folder.lines() == []
