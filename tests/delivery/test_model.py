"""Runs that are killed, interrupted and refused at random, against a model that knows every row's outcomes."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from airflow_provider_pinterest.api.rate_limit import Stopped
from airflow_provider_pinterest.delivery import rejects
from airflow_provider_pinterest.delivery.checkpoint import KEY
from airflow_provider_pinterest.delivery.sender import OnUnknownOutcome
from airflow_provider_pinterest.exceptions import DeliveryError, RefusedError
from tests.delivery.world import NOW, FaultPoint, InterruptedTask, KilledError, Scenario

HOUR = 3600.0
BLOCK = 60
"""Scenarios of a test."""


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    """Let parts of the rejects be written while batches are settled, and not only before checkpoints."""
    monkeypatch.setattr(rejects, "PART_ROWS", 2)


CONDITIONS: tuple[dict[str, float], ...] = (
    {},
    {"busy": 0.2, "limited": 0.1},
    {"unknown": 0.2, "lost": 0.2},
    {"partly": 0.3},
    {"denied": 0.1, "away": 0.1},
    {"busy": 0.1, "limited": 0.05, "away": 0.02, "denied": 0.02, "lost": 0.1, "unknown": 0.1, "partly": 0.1},
)


def kinds(chance):
    """Stretches of web, offline, mixed and bad rows."""
    found = []
    for _ in range(chance.randint(1, 6)):
        words = chance.choice(
            (
                ["web"],
                ["offline"],
                ["web", "offline"],
                ["invalid"],
                ["web", "web", "offline", "invalid", "duplicate"],
            )
        )
        found += chance.choices(words, k=chance.randint(1, 12))
    first = next((at for at, kind in enumerate(found) if kind in ("web", "offline")), len(found))
    return ["invalid" if kind == "duplicate" and at < first else kind for at, kind in enumerate(found)]


def random_scenario(seed, **options):
    chance = random.Random(seed)  # noqa: S311
    made = Scenario(
        kinds(chance),
        chance,
        on_unknown_outcome=chance.choice((None, None, OnUnknownOutcome.HOLD, OnUnknownOutcome.RESEND)),
        batch_size=chance.randint(1, 6),
        in_flight=chance.randint(1, 4),
        **options,
    )
    valid = sorted(made.events)
    made.pinterest.poison = set(chance.sample(valid, min(len(valid), chance.choice((0, 0, 1, 3)))))
    made.pinterest.failing = set(chance.sample(valid, min(len(valid), chance.choice((0, 0, 1, 3)))))
    made.pinterest.failing -= made.pinterest.poison
    made.pinterest.largest = chance.choice((10**9, 10**9, 2))
    return made


def run_attempts(made, *, kills=6, interrupts=True, pauses=(0.0,)):
    """Try until it is done; the first tries meet faults, the later ones do not."""
    chance = made.chance
    ends: Counter[str] = Counter()
    for number in range(40):
        disturbed = number < kills
        made.pinterest.now += chance.choice(pauses)
        made.pinterest.chances = chance.choice(CONDITIONS) if disturbed else {}
        fault_point = FaultPoint()
        if disturbed and chance.random() < 0.7:
            length = chance.choice((3, 12, 40, 100))
            fault_point = FaultPoint(kill=chance.randrange(length))
            if interrupts and chance.random() < 0.6:
                fault_point = FaultPoint(interrupt=fault_point.kill, raises=chance.choice((InterruptedTask, OSError)))
        try:
            run = made.run_attempt(fault_point)
        except KilledError:
            ends["killed"] += 1
        except (InterruptedTask, OSError) as error:
            ends["interrupted" if isinstance(error, InterruptedTask) else "unwritable"] += 1
            adds_up(made.run.counters)
        except (DeliveryError, Stopped) as error:
            ends[type(error).__name__] += 1
            adds_up(made.run.counters)
            if isinstance(error, RefusedError) and not disturbed:
                assert not made.run.counters.delivered.processed, "the mapping is good, and the run can never end"
                return None, ends
        else:
            return run, ends
    raise AssertionError(f"it never ended: {ends}")


def adds_up(counters):
    delivered = counters.delivered
    assert counters.events_sent == delivered.processed + delivered.failed + delivered.held
    assert counters.rows_read == counters.events_built + counters.rows_rejected + counters.duplicates_dropped
    assert counters.rows_not_sent >= 0


def check_account(made, run, ends):
    """Hold what Pinterest has, what the rejects say and what the account says against the rows."""
    pinterest, events, counters = made.pinterest, made.events, run.counters
    lines = made.folder.lines()
    by_stage = {
        stage: {line["event_id"] for line in lines if line["stage"] == stage}
        for stage in ("pinterest", "outcome_unknown", "validation")
    }
    refused, held = by_stage["pinterest"], by_stage["outcome_unknown"]
    delivered = counters.delivered

    lost = [one for one in events if not pinterest.copies[one] and one not in refused | held]
    assert not lost, "rows are lost"
    once_only = {
        one for one, kind in events.items() if made.on_unknown_outcome is OnUnknownOutcome.HOLD or kind == "offline"
    }
    if made.on_unknown_outcome is OnUnknownOutcome.RESEND:
        once_only = set()
    assert not [one for one in once_only if pinterest.copies[one] > 1], "sent twice what must not be"
    for one in events.keys() - once_only:
        assert pinterest.copies[one] <= 1 + pinterest.unknown[one] + made.broken, "more copies than unknown outcomes"
    if made.on_unknown_outcome is not OnUnknownOutcome.RESEND:
        assert not +pinterest.not_deduplicable_count, "sent again what Pinterest had forgotten"
    if pinterest.now - NOW < 22 * HOUR or made.on_unknown_outcome is OnUnknownOutcome.RESEND:
        assert held <= once_only, "held what can be sent again"

    offline = {one for one, kind in events.items() if kind == "offline"}
    assert held & offline <= pinterest.posted | made.unknown, "held what was never on its way"

    rows = [line["row"] for line in lines]
    assert len(rows) == len(set(rows)), "a row is among the rejects twice"
    assert {line["row"] for line in lines if line["stage"] == "validation"} == {
        number for number, kind in enumerate(made.kinds, 1) if kind == "invalid"
    }
    assert refused <= pinterest.poison | pinterest.failing
    assert pinterest.poison | pinterest.failing <= refused | held

    adds_up(counters)
    assert run.finished
    counters.check(len(made.kinds))
    assert counters.rows_read == len(made.kinds)
    assert counters.rows_rejected == made.kinds.count("invalid")
    assert counters.events_built == len(events)
    assert counters.rows_not_sent == 0, "the run is over and rows were not sent"
    assert delivered.failed == len(refused)
    assert delivered.held == len(held)
    assert delivered.processed == len(events) - len(refused) - len(held)
    assert delivered.latencies.counts.total() == delivered.processed
    assert delivered.reasons == Counter(line["reasons"][0]["code"] for line in lines if line["stage"] != "validation")
    assert made.store is None or KEY not in made.store.values
    if not ends:
        assert counters.delivered.calls == pinterest.calls, "the result counts the run, not the try"


def all_hold(seeds, *, pauses=(0.0,), threads=False):
    """Run and check; a scenario on which every event is refused can never end, and is passed over."""
    for seed in seeds:
        made = random_scenario(seed, threads=threads)
        run, ends = run_attempts(made, pauses=pauses)
        if run is None:
            continue
        try:
            check_account(made, run, ends)
        except AssertionError as error:
            error.add_note(f"seed {seed}, {ends}")
            raise


@pytest.mark.parametrize("block", range(8))
def test_nothing_is_lost_and_nothing_counted_twice_wherever_the_worker_dies(block):
    all_hold(range(block * BLOCK, (block + 1) * BLOCK))


PAUSES = (0.0, HOUR, 5 * HOUR, 11 * HOUR, 23.5 * HOUR, 30 * HOUR)
"""Between two tries; as two such pauses may follow one another, tries also come just before a day is over."""


@pytest.mark.parametrize("block", range(8))
def test_what_pinterest_has_forgotten_is_held_however_late_the_tries_come(block):
    all_hold(range(block * BLOCK, (block + 1) * BLOCK), pauses=PAUSES)


def test_late_tries_hold_web_events_and_would_send_them_twice_with_resend():
    """Otherwise the test above would prove nothing."""
    met: Counter[str] = Counter()
    for seed in range(200):
        made = random_scenario(seed)
        run, _ = run_attempts(made, pauses=PAUSES)
        if run is not None:
            held = {line["event_id"] for line in made.folder.lines() if line["stage"] == "outcome_unknown"}
            met["web held"] += made.on_unknown_outcome is None and any(made.events[one] == "web" for one in held)
            met["forgotten"] += made.on_unknown_outcome is OnUnknownOutcome.RESEND and bool(
                +made.pinterest.not_deduplicable_count
            )

    assert met["web held"] > 5, met
    assert met["forgotten"] > 1, met


def test_the_same_holds_with_threads():
    all_hold(range(80), threads=True)


def test_the_scenarios_meet_everything():
    """Otherwise the test above would prove nothing."""
    met: Counter[str] = Counter()
    for seed in range(120):
        made = random_scenario(seed)
        run, ends = run_attempts(made)
        met += ends
        met["given up"] += run is None
        if run is not None:
            met["held"] += run.counters.delivered.held
            met["failed"] += run.counters.delivered.failed
            met["twice"] += sum(copies > 1 for copies in made.pinterest.copies.values())

    for name in (
        "killed",
        "interrupted",
        "unwritable",
        "UnavailableError",
        "CredentialError",
        "held",
        "failed",
        "twice",
    ):
        assert met[name] > 5, (name, met)
    assert met["given up"] < 30, met


def test_a_scenario_in_one_go_sends_everything_once():
    for seed in range(100):
        made = random_scenario(seed)
        made.pinterest.poison.clear()
        run = made.run_attempt()

        check_account(made, run, Counter())
        assert set(made.pinterest.copies.values()) <= {1}


@pytest.mark.parametrize("seed", range(6))
def test_a_kill_between_any_two_steps_of_a_run(seed):
    """Each try of the outer loop dies one step later than the one before."""
    for fatal in range(10_000):
        made = random_scenario(seed)
        made.pinterest.poison.clear()
        try:
            made.run_attempt(FaultPoint(kill=fatal))
        except KilledError:
            run = made.run_attempt()
            check_account(made, run, Counter(killed=1))
        else:
            assert fatal > 3
            return


@pytest.mark.parametrize("raises", [InterruptedTask, OSError])
@pytest.mark.parametrize("seed", range(6))
def test_an_interruption_at_any_step_of_a_run(seed, raises):
    for fatal in range(10_000):
        made = random_scenario(seed)
        made.pinterest.poison.clear()
        fault_point = FaultPoint(interrupt=fatal, raises=raises)
        try:
            made.run_attempt(fault_point)
        except raises:
            adds_up(made.run.counters)
            run = made.run_attempt()
            check_account(made, run, Counter(interrupted=1))
        if fatal > fault_point.steps:
            return
