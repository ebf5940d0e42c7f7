"""Runs that version 2 has begun: nothing is lost, and no offline event is sent twice."""

import random
from collections import Counter

import pytest

from airflow_provider_pinterest.conversions.batches import Batcher
from airflow_provider_pinterest.delivery.checkpoint import KEY, Checkpoint, PendingBatch
from airflow_provider_pinterest.delivery.result import DeliveryCounters
from airflow_provider_pinterest.delivery.rowset import RowSet
from airflow_provider_pinterest.delivery.sections import SectionCutter, SourceChangedError
from airflow_provider_pinterest.delivery.stored_state import read_state
from tests.delivery.test_model import CONDITIONS, adds_up, check_account, random_scenario, run_attempts
from tests.delivery.version_2 import delivered_by_version_2, events_hash
from tests.delivery.world import NOW, FaultPoint, KilledError, Scenario, event


def as_v2(checkpoint, kinds):
    """Return the document that version 2 would have stored where a run of this version stands."""
    events = [event(row, offline=kind == "offline") for row, kind in enumerate(kinds, 1) if kind in ("web", "offline")]

    marks = []
    for pending in checkpoint.pending:
        inside = [one for one in events if pending.first <= one.row <= pending.last]
        if inside:
            spans = [[list(span) for span in rows.ranges()] for rows in (pending.unknown, pending.open)]
            first, last = inside[0].row, inside[-1].row
            marks.append(
                [first, last, events_hash(inside), delivered_by_version_2(pending.delivered), *spans, pending.since]
            )
    return {
        "version": 2,
        "fingerprint": "f",
        "clock": checkpoint.clock,
        "rows": checkpoint.rows,
        "events_hash": events_hash([one for one in events if one.row <= checkpoint.rows]),
        "delivered": delivered_by_version_2(checkpoint.delivered),
        "offline": checkpoint.offline,
        "marks": marks,
        "ahead": checkpoint.ahead,
        "on_doubt": checkpoint.on_unknown_outcome,
        "written": checkpoint.written,
    }


def store_of(made):
    assert made.store is not None
    return made.store


def downgrade(made):
    """Replace what a scenario has stored by what version 2 would have stored."""
    left = read_state(store_of(made).get(KEY)) if KEY in store_of(made).values else None
    if not isinstance(left, Checkpoint):
        return None
    document = as_v2(left, made.kinds)
    store_of(made).set(KEY, document)
    return document


def killed(made, chance, fatal):
    made.pinterest.chances = chance.choice(CONDITIONS[:4])
    with pytest.raises(KilledError):
        made.run_attempt(FaultPoint(kill=fatal))
    store_of(made).fault_point = FaultPoint()


@pytest.mark.parametrize("block", range(4))
def test_a_run_that_version_2_began_ends_with_nothing_lost_and_no_offline_event_twice(block):
    resumed = 0
    for seed in range(block * 100, (block + 1) * 100):
        made = random_scenario(seed)
        chance = random.Random(seed)  # noqa: S311
        try:
            killed(made, chance, chance.randrange(60))
        except pytest.fail.Exception:
            continue  # it came to its end first
        except Exception:  # noqa: BLE001, S112 - a fault ended it first
            continue
        document = downgrade(made)
        resumed += bool(document and (document["rows"] or document["marks"]))
        run, ends = run_attempts(made, kills=chance.choice((0, 3)))
        if run is None:
            continue
        ends["killed"] += 1
        try:
            adds_up(run.counters)
            check_account(made, run, ends)
        except AssertionError as error:
            error.add_note(f"seed {seed}, {document}")
            raise

    assert resumed > 20


def upgraded(kinds, *, fatal=25, failing=()):
    """Return a scenario whose first attempt was killed, and what version 2 would have stored of it."""
    made = Scenario(kinds, random.Random(1))  # noqa: S311
    made.pinterest.failing = set(failing)
    with pytest.raises(KilledError):
        made.run_attempt(FaultPoint(kill=fatal))
    store_of(made).fault_point = FaultPoint()
    return made, downgrade(made)


@pytest.mark.parametrize("kinds", [["offline"] * 30, ["web", "offline"] * 15], ids=["offline", "mixed"])
def test_what_version_2_had_accepted_is_not_sent_again(kinds):
    for fatal in range(10, 60, 3):
        made, _ = upgraded(kinds, fatal=fatal)

        run = made.run_attempt()

        check_account(made, run, Counter(killed=1))


def test_the_first_checkpoint_after_an_upgrade_is_of_this_version():
    made, _ = upgraded(["web"] * 30)
    with pytest.raises(KilledError):
        made.run_attempt(FaultPoint(kill=30))

    left = read_state(store_of(made).get(KEY))

    assert isinstance(left, Checkpoint)
    assert store_of(made).get(KEY)["version"] == 3
    assert left.clock == NOW
    run = made.run_attempt()
    check_account(made, run, Counter(killed=2))


def test_an_upgrade_notices_a_source_that_has_changed():
    made, document = upgraded(["web"] * 30)
    assert document["rows"]
    made.kinds = ["invalid", *made.kinds[1:]]

    with pytest.raises(SourceChangedError):
        made.run_attempt()


def test_after_an_upgrade_it_is_not_known_which_events_failed():
    """So Clear does not send them again, and the counts say so."""
    made, document = upgraded(["web"] * 30, failing=["e-1"])
    assert document["rows"]

    accounted = made.run_attempt().progress.accounted

    assert not accounted.failed.complete
    assert accounted.delivered.failed == 1


def test_a_checkpoint_of_this_version_may_name_batches_that_version_2_has_begun():
    """The first attempt after the upgrade may end before it has read them."""
    left = read_state(as_v2(a_checkpoint_with_a_batch_far_behind(), ["offline"] * 9))
    assert isinstance(left, Checkpoint)

    again = read_state(left.as_json())

    assert isinstance(again, Checkpoint)
    cut = list(SectionCutter(Batcher(2), again).sections(event(row, offline=True) for row in range(1, 10)))
    assert [(section.first, section.last) for section in cut if section.pending] == [(7, 8)]


def a_checkpoint_with_a_batch_far_behind():
    pending = PendingBatch(7, 8, "", DeliveryCounters(), unknown=RowSet([(7, 8)]))
    return Checkpoint({}, NOW, 2, pending=(pending,), delivered=DeliveryCounters(processed=2), offline=True)
