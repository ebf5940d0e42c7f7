"""What an attempt leaves behind: stored, read again, verified, and refused when it is not this run's."""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_pinterest.conversions.outcomes import Duplicate, Rejection, Stage
from airflow_provider_pinterest.conversions.reasons import Reason
from airflow_provider_pinterest.delivery.checkpoint import (
    DEDUPLICATION_WINDOW,
    EVERY,
    KEY,
    Checkpoint,
    Finished,
    PendingBatch,
    RowsHash,
    UnreadableStateError,
    hash_of,
    trace_of,
)
from airflow_provider_pinterest.delivery.dispatcher import InFlightBatch
from airflow_provider_pinterest.delivery.fingerprints import fingerprint
from airflow_provider_pinterest.delivery.progress import Progress
from airflow_provider_pinterest.delivery.result import DeliveryCounters, LatencyHistogram
from airflow_provider_pinterest.delivery.rowset import RowSet
from airflow_provider_pinterest.delivery.sections import RowCounts, Section, SourceChangedError
from airflow_provider_pinterest.delivery.stored_state import read_state
from airflow_provider_pinterest.exceptions import CredentialError, RefusedError, UnavailableError
from tests.delivery.version_2 import delivered_by_version_2, events_hash
from tests.delivery.world import (
    NOW,
    FailingStateStore,
    FaultPoint,
    InterruptedTask,
    KilledError,
    Scenario,
    batch,
    event,
    row_batches,
)

COUNTS = st.integers(0, 10**9)
CODES = st.dictionaries(st.sampled_from(["pinterest_failed", "outcome_unknown", "x"]), st.integers(1, 10**6)).map(
    Counter
)
LATENCIES = st.builds(
    LatencyHistogram,
    st.dictionaries(st.integers(0, 10**6), st.integers(1, 10**6)).map(Counter),
    st.none() | COUNTS,
    COUNTS,
    COUNTS,
)
DELIVERED = st.builds(DeliveryCounters, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, CODES, CODES, LATENCIES)
COMPLETE = st.sets(st.integers(1, 10**9)).map(RowSet().plus)
ROWSETS = COMPLETE | st.builds(RowSet.forgotten)
PENDING = st.builds(
    PendingBatch,
    COUNTS,
    COUNTS,
    st.text("0123456789abcdef"),
    DELIVERED,
    COMPLETE,
    COMPLETE,
    st.floats(0, 1e11),
    ROWSETS,
    ROWSETS,
)
PRINTS = st.dictionaries(st.text(), st.text(), max_size=3)
IDENTITIES = st.dictionaries(st.text(), st.none() | st.integers(-(2**53), 2**53) | st.text(), max_size=3)
FINISHED = st.builds(
    Finished,
    PRINTS,
    st.floats(0, 1e11),
    COUNTS,
    st.text("0123456789abcdef"),
    DELIVERED,
    ROWSETS,
    ROWSETS,
    st.booleans(),
    IDENTITIES,
    st.dictionaries(st.text(), st.none() | COUNTS),
    st.none() | st.text(),
    st.floats(0, 1e11),
    st.booleans(),
)
CHECKPOINTS = st.builds(
    Checkpoint,
    fingerprint=PRINTS,
    clock=st.floats(0, 1e11),
    rows=COUNTS,
    digest=st.text("0123456789abcdef"),
    delivered=DELIVERED,
    failed=ROWSETS,
    held=ROWSETS,
    offline=st.booleans(),
    pending=st.lists(PENDING, max_size=3).map(tuple),
    ahead=COUNTS,
    ahead_since=st.floats(0, 1e11),
    on_unknown_outcome=st.sampled_from([None, "hold", "resend"]),
    written=st.floats(0, 1e11),
    earlier=st.none() | FINISHED,
    unknown_before=st.none() | st.floats(0, 1e11),
    forced=st.booleans(),
    identity=IDENTITIES,
    parts=st.none() | st.dictionaries(st.text(), COUNTS),
)


def stored(state):
    """Return what the store gives back."""
    return json.loads(json.dumps(state.as_json()))


@given(CHECKPOINTS | FINISHED)
def test_a_state_survives_being_stored_as_json(state):
    assert read_state(stored(state)) == state


def a_checkpoint():
    pending = PendingBatch(5, 6, hash_of(()), DeliveryCounters(processed=1), RowSet([(5, 5)]), RowSet([(6, 6)]), 1.0)
    return Checkpoint({"sql": "f"}, 1.0, rows=4, pending=(pending,), earlier=a_finished(), identity={"run": "r"})


def a_finished(**changes):
    made = Finished(
        {"sql": "f"},
        1.0,
        4,
        "d",
        DeliveryCounters(processed=4),
        RowSet(),
        RowSet(),
        False,
        {"run": "r"},
        {"x": 1},
        None,
        2.0,
    )
    return replace(made, **changes)


GARBAGE: dict[str, Any] = {
    "None": None,
    "a truth": True,
    "a number": 3,
    "a huge number": 2**400,
    "not a number": float("nan"),
    "a text": "checkpoint",
    "bytes": b"checkpoint",
    "a list": [],
    "a list of pairs": [["version", 3]],
    "nothing": {},
    "no version": {"state": "running"},
    "another version": {"version": 1},
    "a later version": {"version": 4, "state": "running"},
    "a version that is a text": {"version": "3"},
    "a version that is a list": {"version": [3]},
    "a version that is a mapping": {"version": {"version": 3}},
    "a version that is huge": {"version": 2**400},
    "only a version": {"version": 3},
    "only a version and a state": {"version": 3, "state": "finished"},
    "an unknown state": {"version": 3, "state": "resting"},
    "a state that is a list": {"version": 3, "state": []},
    "only a version 2": {"version": 2},
    "an end of version 2 without a result": {"finished": 2},
    "an end of version 2 whose result is a number": {"finished": 2, "result": 1, "problem": None, "max_tries": 1},
    "an end of another version": {"finished": 5},
    "nested": {"version": 3, "state": {"version": 3, "state": {"state": [[[[[]]]]]}}},
}


@pytest.mark.parametrize("values", GARBAGE.values(), ids=GARBAGE)
def test_what_is_not_a_state_is_unreadable(values):
    with pytest.raises(UnreadableStateError):
        read_state(values)


def test_what_is_wrong_with_the_version_is_said():
    with pytest.raises(UnreadableStateError, match="unknown version 4"):
        read_state({"version": 4, "state": "running"})


def v2(**changes):
    """Return a checkpoint as version 2 stored it."""
    events = [event(row) for row in range(1, 7)]
    return {
        "version": 2,
        "fingerprint": "f",
        "clock": 1.0,
        "rows": 3,
        "events_hash": events_hash(events[:3]),
        "delivered": delivered_by_version_2(DeliveryCounters(processed=3)),
        "offline": False,
        "marks": [
            [
                4,
                6,
                events_hash(events[3:]),
                delivered_by_version_2(DeliveryCounters(processed=1)),
                [[5, 5]],
                [[6, 6]],
                1.0,
            ]
        ],
        "ahead": 4,
        "on_doubt": None,
        "written": 2.0,
        **changes,
    }


WRONG: tuple[Any, ...] = (
    None,
    "many",
    [],
    {},
    [1],
    {"a": 1},
    -1,
    2**400,
    float("inf"),
    float("nan"),
    "1",
    [[]],
    [[1, 2]],
    [None],
    {"processed": []},
    [[1, 2, "x", {}, 0.0, "", "", "", ""]],
    [[1, 2, "x", None, None, "AAAA", 1, [], {}]],
    [[10**400] * 9],
)
"""Values that a field may have come to hold."""


def deep(values, path=()):
    """Yield the path of each value in a document."""
    yield path
    items = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    for name, value in items:
        yield from deep(value, (*path, name))


def changed(values, path, value=None, *, lost=False):
    """Return a copy of a document with one value replaced or lost."""
    made = json.loads(json.dumps(values))
    found = made
    for name in path[:-1]:
        found = found[name]
    if lost:
        del found[path[-1]]
    else:
        found[path[-1]] = value
    return made


DOCUMENTS = {
    "running": stored(a_checkpoint()),
    "finished": stored(a_finished()),
    "version 2": v2(),
    "the end in version 2": {"finished": 2, "result": {"x": 1}, "problem": None, "max_tries": 1},
}


def usable(state):
    """Use a state as a run does, all of it."""
    json.dumps(state.as_json())
    assert state.deduplicable(1.0) in (True, False)
    sums = DeliveryCounters()
    sums.merge(state.delivered)
    sums.latencies.summary()
    for rows in (state.failed, state.held):
        assert 1 not in rows
    if isinstance(state, Checkpoint):
        assert state.rows >= 0
        assert state.ahead >= 0
        assert state.keeps(10**6, Stage.PINTEREST) in (True, False)
        for pending in state.pending:
            sums.merge(pending.delivered)
            assert pending.settles(5) in (True, False)
            assert pending.unknown.complete, "an event with unknown outcome would count as settled"
            assert pending.open.complete, "an open event would count as settled"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_field_that_was_lost_is_unreadable_or_does_no_harm(name):
    document = DOCUMENTS[name]
    usable(read_state(document))
    for path in deep(document):
        if path:
            try:
                found = read_state(changed(document, path, lost=True))
            except UnreadableStateError:
                continue
            usable(found)


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("value", WRONG, ids=lambda value: repr(value)[:30])
def test_a_field_of_another_type_is_unreadable_or_does_no_harm(name, value):
    document = DOCUMENTS[name]
    for path in deep(document):
        if path:
            try:
                found = read_state(changed(document, path, value))
            except UnreadableStateError:
                continue
            try:
                usable(found)
            except Exception as error:
                error.add_note(f"{path} = {value!r}"[:200])
                raise


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["version", "state", "finished"]), inner)
        ),
    )
)
def test_any_json_is_a_state_or_unreadable(values):
    with pytest.raises(UnreadableStateError):
        read_state(values)


# ---- hashes ----


def rejection(row):
    return Rejection(row, None, {}, (Reason("bad_email", "em", "x"),), Stage.VALIDATION)


def test_the_hash_does_not_depend_on_how_rows_are_cut():
    events = [event(row) for row in range(1, 8)]
    found = RowsHash()
    for one in events[:3]:
        found.add([trace_of(one)])
    found.add(map(trace_of, events[3:]))

    assert found.hexdigest() == hash_of(events)


def test_a_copy_of_a_hash_goes_its_own_way():
    found = RowsHash()
    found.add([trace_of(event(1))])
    copy = found.copy()
    copy.add([trace_of(event(2))])

    assert found.hexdigest() == hash_of([event(1)])
    assert copy.hexdigest() == hash_of([event(1), event(2)])


@pytest.mark.parametrize(
    "rows",
    [
        [event(1), event(3), event(2)],
        [event(1), event(2)],
        [event(1), event(2), event(3), event(4)],
        [event(1), event(2), event(3, name="signup")],
        [event(1), event(2), event(3, id="e-4")],
        [event(1), event(2, name="checkoute-", id="2"), event(3)],
        [event(1), event(2, offline=True), event(3)],
        [event(1), rejection(2), event(3)],
        [event(1), Duplicate(2), event(3)],
        [event(1), event(2), event(3), rejection(4)],
    ],
)
def test_the_hash_notices_other_rows_another_order_and_more_or_fewer(rows):
    assert hash_of(rows) != hash_of([event(1), event(2), event(3)])


def test_a_rejection_is_not_a_duplicate():
    assert hash_of([rejection(1)]) != hash_of([Duplicate(1)])


def test_a_line_about_the_prefix_stands_and_beyond_it_only_what_a_pending_batch_settles():
    pending = PendingBatch(11, 20, "", DeliveryCounters(), unknown=RowSet([(12, 12)]), open=RowSet([(15, 16)]))
    checkpoint = Checkpoint({}, 0.0, rows=10, pending=(pending,))

    standing = [row for row in range(1, 25) if checkpoint.keeps(row, Stage.PINTEREST)]

    assert standing == [*range(1, 12), 13, 14, 17, 18, 19, 20]
    assert [row for row in range(1, 25) if checkpoint.keeps(row, Stage.VALIDATION)] == [*range(1, 11)]


def test_lines_of_a_finished_run_stand_where_its_rows_cannot_be_told_apart():
    forgot = a_finished(failed=RowSet.forgotten(), held=RowSet([(2, 2)]))
    checkpoint = Checkpoint({}, 0.0, earlier=forgot)

    assert [row for row in range(1, 7) if checkpoint.keeps(row, Stage.PINTEREST)] == [1, 2, 3, 4]
    assert not any(checkpoint.keeps(row, Stage.OUTCOME_UNKNOWN) for row in range(1, 7))


@pytest.mark.parametrize("make", [lambda **c: Checkpoint({}, NOW, **c), lambda **c: a_finished(clock=NOW, **c)])
def test_pinterest_deduplicates_web_events_for_twenty_three_hours(make):
    assert make(offline=False).deduplicable(NOW + DEDUPLICATION_WINDOW - 1)
    assert not make(offline=False).deduplicable(NOW + DEDUPLICATION_WINDOW)
    assert not make(offline=True).deduplicable(NOW)


def test_an_earlier_run_s_offline_events_are_not_deduplicable():
    assert not Checkpoint({}, NOW, earlier=a_finished(offline=True)).deduplicable(NOW)


class TestFingerprint:
    BASE: ClassVar[dict[str, Any]] = {"sql": "SELECT 1", "parameters": {"a": 1}, "defaults": None}

    def test_it_is_the_same_for_the_same_parameters_in_any_order(self):
        assert fingerprint(**self.BASE) == fingerprint(**dict(reversed(self.BASE.items())))

    @pytest.mark.parametrize(
        "changes", [{"sql": "SELECT 2"}, {"parameters": {"a": "1"}}, {"parameters": {"a": 1, "b": None}}, {"more": 1}]
    )
    def test_any_change_changes_it(self, changes):
        assert fingerprint(**self.BASE) != fingerprint(**{**self.BASE, **changes})

    VALUES: ClassVar[dict[str, object]] = {
        "a large integer": 2**70,
        "a small one": -(2**70),
        "a lone surrogate": "\ud800",
        "bytes": b"\xff",
        "a decimal": Decimal("1.50"),
        "a moment": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        "a span": dt.timedelta(days=1),
        "a set": {"a", "b"},
        "a frozen set": frozenset({"a", "b", "c"}),
        "a mapping of numbers": {1: 2},
        "nested": (1, [2, {3: {"x"}}]),
    }

    @pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
    def test_any_value_that_a_driver_may_bind_has_one(self, value):
        assert fingerprint(parameters={"x": value}) == fingerprint(parameters={"x": value})
        assert fingerprint(parameters={"x": value}) != fingerprint(parameters={"x": None})

    def test_a_set_has_the_same_whatever_its_order(self):
        """It differs between processes, and would make a retry start over."""
        found = (
            "from airflow_provider_pinterest.delivery import fingerprints as f; print(f.digest_of({'a','b','c','d'}))"
        )
        assert len({in_a_process(found, seed) for seed in ("1", "2", "3")}) == 1


def in_a_process(code, hash_seed):
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True).stdout


def done(rows, kind="web", **counts):
    """Return a batch that is done, and its section."""
    events = batch(len(rows), rows[0], offline=kind == "offline")
    hashed = RowsHash()
    section = Section(
        rows[0],
        rows[-1],
        RowCounts(rows=len(rows), events=len(rows)),
        events.events,
        (),
        hash_of(events.events),
        hashed,
    )
    made = InFlightBatch(section, events)
    made.outcome.settle(events.events, DeliveryCounters(processed=len(rows), **counts), ())
    made.dispatched = made.done = True
    return made


class TestProgress:
    def progress(self, **options):
        self.now = 0.0
        self.store = FailingStateStore()
        return Progress(Checkpoint({"f": "1"}, 1.0), self.store, clock=lambda: self.now, wall=lambda: NOW, **options)

    def settle(self, progress, *rows):
        progress.take(done(rows))
        assert progress.settled()

    def test_a_checkpoint_is_due_after_so_many_settled_batches(self):
        progress = self.progress(every_answers=3)
        due = []
        for row in (1, 2, 3):
            self.settle(progress, row)
            due.append(progress.checkpoint_due())

        assert due == [False, False, True]
        progress.checkpoint()
        self.settle(progress, 4)
        assert not progress.checkpoint_due()

    def test_a_checkpoint_is_due_after_two_seconds(self):
        progress = self.progress(every_answers=100)
        assert not progress.checkpoint_due()
        self.settle(progress, 1)
        self.now = EVERY - 0.01
        assert not progress.checkpoint_due()
        self.now = EVERY
        assert progress.checkpoint_due()
        progress.checkpoint()
        self.settle(progress, 2)
        assert not progress.checkpoint_due()

    def test_what_it_stores_can_be_read_by_the_next_attempt(self):
        progress = self.progress()
        self.settle(progress, *range(1, 8))
        progress.checkpoint(offline=True)

        found = read_state(self.store.get(KEY))

        assert isinstance(found, Checkpoint)
        assert (found.rows, found.offline, found.written, found.fingerprint) == (7, True, NOW, {"f": "1"})
        assert found.delivered.processed == 7
        assert found == progress.last

    def test_offline_events_stay_known_once_they_were_sent(self):
        progress = self.progress()
        progress.checkpoint(offline=True)
        self.settle(progress, 1)
        progress.checkpoint()

        assert progress.last.offline

    def test_a_batch_that_is_not_done_stays_behind_the_prefix(self):
        progress = self.progress(may_resend=lambda one: not one.offline)
        first, second = done([1, 2, 3]), done([4, 5, 6])
        first.done = False
        progress.take(first)
        progress.take(second)

        assert not progress.settled()
        progress.checkpoint()

        assert progress.last.rows == 0
        assert [(one.first, one.last) for one in progress.last.pending] == [(1, 3), (4, 6)]

    def test_events_that_can_be_sent_again_are_with_unknown_outcome_while_they_are_under_way_and_open_at_the_end(self):
        progress = self.progress()
        under_way = done([1, 2])
        under_way.outcome = type(under_way.outcome)(under_way.batch.events)
        under_way.done = False
        progress.take(under_way)
        progress.checkpoint()
        while_sending = progress.last.pending[0]
        progress.close()
        at_the_end = progress.last.pending[0]

        assert list(while_sending.unknown.rows()) == [1, 2]
        assert not at_the_end.unknown
        assert list(at_the_end.open.rows()) == [1, 2]

    def test_without_a_store_it_remembers_the_last_for_a_deferral(self):
        progress = Progress(Checkpoint({"f": "1"}, 1.0), None)
        self.settle(progress, *range(1, 8))
        progress.checkpoint()
        assert not progress.durable
        assert progress.last.rows == 0

        progress.close()
        assert progress.last.rows == 7

    def test_after_a_failure_of_the_store_nothing_is_written_any_more(self):
        progress = self.progress()
        self.settle(progress, 1)
        self.store.fault_point = FaultPoint(interrupt=0, raises=OSError)
        with pytest.raises(OSError):  # noqa: PT011 - the store's own
            progress.checkpoint()
        self.store.fault_point = FaultPoint()
        self.settle(progress, 2)
        progress.checkpoint()
        progress.close()

        assert self.store.get(KEY) is None

    def test_the_end_of_a_run_replaces_its_checkpoint(self):
        progress = self.progress()
        self.settle(progress, 1, 2)
        progress.checkpoint(offline=True)
        progress.finish(progress.finished(identity={"run": "r"}, result={"x": 1}, problem="no"))

        found = read_state(self.store.get(KEY))

        assert isinstance(found, Finished)
        assert (found.rows, found.offline, found.identity, found.problem) == (2, True, {"run": "r"}, "no")
        assert found.delivered.processed == 2


def journey(kinds, **options):
    return Scenario(kinds, random.Random(1), **options)  # noqa: S311


WEB = ["web"] * 30
OFFLINE = ["offline"] * 30


def last(made):
    """Return the checkpoint that a scenario has left."""
    found = read_state(made.store.get(KEY))
    assert isinstance(found, Checkpoint)
    return found


def killed(made, at=25):
    with pytest.raises(KilledError):
        made.run_attempt(FaultPoint(kill=at))
    assert 0 < last(made).rows < 30


def test_a_source_that_changed_is_noticed_and_nothing_is_sent():
    made = journey(WEB)
    killed(made)
    calls, before = made.pinterest.calls, made.store.get(KEY)

    made.kinds = ["invalid", *WEB[1:]]
    with pytest.raises(SourceChangedError):
        made.run_attempt()

    assert last(made).deduplicable(NOW)
    assert made.pinterest.calls == calls
    assert made.store.get(KEY) == before


def test_a_source_that_changed_after_offline_events_were_sent_is_not_sent_again():
    made = journey(OFFLINE)
    killed(made)
    made.kinds = ["invalid", *OFFLINE[1:]]

    with pytest.raises(SourceChangedError):
        made.run_attempt()

    assert not last(made).deduplicable(NOW)


def test_a_source_that_became_shorter_than_the_prefix_is_noticed():
    made = journey(WEB)
    killed(made)
    made.kinds = []

    with pytest.raises(SourceChangedError):
        made.run_attempt()


def test_a_source_that_changed_among_pending_rows_is_noticed():
    made = journey(OFFLINE)
    killed(made)
    checkpoint = last(made)
    assert checkpoint.pending
    made.kinds = [*OFFLINE[: checkpoint.rows], "invalid", *OFFLINE[checkpoint.rows + 1 :]]

    with pytest.raises(SourceChangedError):
        made.run_attempt()


def test_rows_added_behind_are_sent_with_the_rest():
    made = journey(WEB)
    killed(made)
    made.kinds = [*WEB, *WEB]

    run = made.run_attempt()

    assert run.finished
    assert len(made.pinterest.copies) == 60


@pytest.mark.parametrize("error", [InterruptedTask, OSError])
@pytest.mark.parametrize("kinds", [WEB, OFFLINE, ["web", "offline"] * 15], ids=["web", "offline", "mixed"])
def test_a_source_that_breaks_off_while_it_is_read_again_loses_nothing(kinds, error):
    """Wherever: in the prefix, among the pending rows, right after."""
    for broken_after in range(30):
        made = journey(kinds)
        killed(made)
        before = last(made)

        def source(after=broken_after):
            for number, row_batch in enumerate(row_batches(kinds, 1)):
                if number == after:
                    raise error
                yield row_batch

        with pytest.raises(error):
            made.run_attempt(source=source())

        after = last(made)
        if broken_after < before.rows:
            assert after == before
        assert after.rows >= before.rows
        run = made.run_attempt()
        assert run.finished
        assert not [one for one, kind in made.events.items() if kind == "offline" and made.pinterest.copies[one] > 1]
        assert run.counters.events_sent == 30


def test_the_clock_of_the_first_attempt_is_kept():
    made = journey(WEB)
    killed(made)

    assert last(made).clock == NOW


def test_a_single_refused_row_that_is_left_is_isolated_and_not_taken_for_a_wrong_mapping():
    """Else a run whose last row is bad could never end once a try was killed before it."""
    made = journey(["web"] * 6, batch_size=3)
    made.pinterest.poison = {"e-4", "e-5", "e-6"}
    digest = hash_of(map(event, (1, 2, 3)))
    made.store.set(KEY, Checkpoint({"f": "1"}, NOW, 3, digest, DeliveryCounters(processed=3)).as_json())

    run = made.run_attempt()

    assert run.counters.delivered.failed == 3
    assert {line["event_id"] for line in made.folder.lines()} == made.pinterest.poison


def test_without_anything_accepted_in_an_earlier_attempt_the_mapping_is_wrong():
    made = journey(["web"] * 6, batch_size=3)
    made.pinterest.poison = set(made.events)

    for _ in range(2):
        with pytest.raises(RefusedError):
            made.run_attempt()
    assert made.run.counters.rows_not_sent == made.run.counters.events_built
    assert made.folder.lines() == []


@pytest.mark.parametrize(("word", "error"), [("denied", CredentialError), ("away", UnavailableError)])
def test_a_stop_is_accounted_for_and_the_next_attempt_sends_the_rest_once(word, error):
    made = journey(["web", "offline"] * 15)
    made.pinterest.chances = {word: 0.3}
    with pytest.raises(error):
        made.run_attempt()
    counters = made.run.counters
    assert counters.events_sent + counters.rows_not_sent == counters.events_built
    assert made.folder.lines() == []

    made.pinterest.chances = {}
    run = made.run_attempt()

    assert set(made.pinterest.copies.values()) == {1}
    assert len(made.pinterest.copies) == 30
    assert run.counters.delivered.processed == 30


def test_a_store_that_cannot_be_written_ends_the_run_before_another_offline_batch_goes_out():
    made = journey(OFFLINE, batch_size=3)
    with pytest.raises(OSError):  # noqa: PT011 - the store's own
        made.run_attempt(FaultPoint(interrupt=0, raises=OSError))

    assert made.pinterest.calls == 0


def test_a_run_without_a_store_keeps_its_last_checkpoint_for_a_deferral():
    made = journey(["web"] * 9, remembers=False)
    made.pinterest.chances = {"away": 0.5}
    made.chance.seed(5)
    with pytest.raises(UnavailableError):
        made.run_attempt()

    found = made.run.progress.last

    settled = sum(one.delivered.processed for one in found.pending)
    assert found.rows + settled == sum(made.pinterest.copies.values())
