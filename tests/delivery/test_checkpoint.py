"""What a try leaves behind: written down, read again, verified, and refused when it is not this run's."""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_pinterest.delivery.checkpoint import (
    EVERY,
    KEY,
    Checkpoint,
    EventsHash,
    Keeper,
    Mark,
    fingerprint,
    hash_of,
    spans,
    within,
)
from airflow_provider_pinterest.delivery.result import Delivered, Lags
from airflow_provider_pinterest.delivery.resuming import SourceChanged
from airflow_provider_pinterest.exceptions import CredentialError, RefusedError, UnavailableError
from tests.delivery.world import NOW, Fuse, InterruptedTask, KilledError, Store, Voyage, chunks, event

COUNTS = st.integers(0, 10**9)
CODES = st.dictionaries(st.sampled_from(["pinterest_failed", "outcome_unknown", "x"]), st.integers(1, 10**6)).map(
    Counter
)
LAGS = st.builds(
    Lags,
    st.dictionaries(st.integers(0, 10**6), st.integers(1, 10**6)).map(Counter),
    st.none() | COUNTS,
    COUNTS,
    COUNTS,
)
DELIVERED = st.builds(Delivered, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, CODES, CODES, LAGS)
SPANS = st.lists(st.tuples(COUNTS, COUNTS), max_size=3).map(tuple)
MARKS = st.builds(Mark, COUNTS, COUNTS, st.text("0123456789abcdef"), DELIVERED, SPANS, SPANS, st.floats(0, 1e11))
CHECKPOINTS = st.builds(
    Checkpoint,
    fingerprint=st.text(),
    clock=st.floats(0, 1e11),
    rows=COUNTS,
    events_hash=st.text("0123456789abcdef"),
    delivered=DELIVERED,
    offline=st.booleans(),
    marks=st.lists(MARKS, max_size=3).map(tuple),
    ahead=COUNTS,
    on_doubt=st.sampled_from([None, "hold", "resend"]),
    written=st.floats(0, 1e11),
)


@given(CHECKPOINTS)
def test_a_checkpoint_survives_being_stored_as_json(checkpoint):
    assert Checkpoint.from_json(json.loads(json.dumps(checkpoint.as_json()))) == checkpoint


def good():
    mark = Mark(5, 6, hash_of(()), Delivered(processed=1), ((5, 5),), ((6, 6),))
    return json.loads(json.dumps(Checkpoint("f", 1.0, rows=4, marks=(mark,)).as_json()))


BROKEN = {
    "nothing": {},
    "a list": [],
    "a text": "checkpoint",
    "None": None,
    "another version": good() | {"version": 1},
    "no version": {name: value for name, value in good().items() if name != "version"},
    "no rows": {name: value for name, value in good().items() if name != "rows"},
    "rows that are none": good() | {"rows": "many"},
    "no counts": good() | {"delivered": None},
    "counts of a list": good() | {"delivered": [1]},
    "marks that are none": good() | {"marks": 1},
    "half a mark": good() | {"marks": [[1, 2]]},
    "a mark with half a span": good() | {"marks": [[1, 2, "x", good()["delivered"], [[1]], [], 0.0]]},
}


@pytest.mark.parametrize("values", BROKEN.values(), ids=BROKEN)
def test_what_is_no_checkpoint_of_this_version_is_a_value_error(values):
    assert Checkpoint.from_json(good()).rows == 4

    with pytest.raises(ValueError, match=r"checkpoint|invalid literal|unpack"):
        Checkpoint.from_json(values)


def test_the_hash_does_not_depend_on_how_events_are_batched():
    events = [event(row) for row in range(1, 8)]
    found = EventsHash()
    for event_ in events[:3]:
        found.add([event_])
    found.add(events[3:])

    assert found.hexdigest() == hash_of(events)


@pytest.mark.parametrize(
    "changed",
    [
        [event(1), event(3), event(2)],
        [event(1), event(2)],
        [event(1), event(2), event(3), event(4)],
        [event(1), event(2), event(3, name="signup")],
        [event(1), event(2), event(3, id="e-4")],
        [event(1), event(2, name="checkoute-", id="2"), event(3)],
    ],
)
def test_the_hash_notices_other_events_another_order_and_more_or_fewer(changed):
    assert hash_of(changed) != hash_of([event(1), event(2), event(3)])


@given(st.lists(st.booleans(), max_size=30))
def test_spans_name_exactly_the_rows_that_pass(passing):
    events = [event(3 * number + 1) for number in range(len(passing))]
    found = spans(events, lambda one: passing[one.row // 3])

    assert [within(one.row, found) for one in events] == passing
    assert len(found) == sum(now and not before for before, now in zip([False, *passing], passing, strict=False))


def test_a_line_about_the_prefix_stands_and_beyond_it_only_what_a_mark_settles():
    mark = Mark(11, 20, "", Delivered(), doubt=((12, 12),), open=((15, 16),))
    checkpoint = Checkpoint("f", 0.0, rows=10, marks=(mark,))

    standing = [row for row in range(1, 25) if checkpoint.settles(row, "pinterest")]

    assert standing == [*range(1, 12), 13, 14, 17, 18, 19, 20]
    assert [row for row in range(1, 25) if checkpoint.settles(row, "validation")] == [*range(1, 11)]


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
            "from airflow_provider_pinterest.delivery.checkpoint import fingerprint as f; print(f(x={'a','b','c','d'}))"
        )
        assert len({in_a_process(found, seed) for seed in ("1", "2", "3")}) == 1


def in_a_process(code, hash_seed):
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True).stdout


class TestKeeper:
    def keeper(self, **options):
        self.now = 0.0
        self.store = Store()
        return Keeper(Checkpoint("f", 1.0), self.store, clock=lambda: self.now, wall=lambda: NOW, **options)

    def test_it_is_time_to_write_after_so_many_answers(self):
        keeper = self.keeper(every_answers=3)

        assert [keeper.answered() for _ in range(3)] == [False, False, True]
        keeper.write(rows=3)
        assert not keeper.answered()

    def test_it_is_time_to_write_after_two_seconds(self):
        keeper = self.keeper(every_answers=100)
        self.now = EVERY - 0.01
        assert not keeper.answered()
        self.now = EVERY
        assert keeper.answered()
        keeper.write(rows=2)
        assert not keeper.answered()

    def test_what_it_writes_can_be_read_by_the_next_try(self):
        keeper = self.keeper()
        keeper.write(rows=7, offline=True)

        found = Checkpoint.from_json(self.store.get(KEY))

        assert (found.rows, found.offline, found.written, found.fingerprint) == (7, True, NOW, "f")
        assert found == keeper.last

    def test_it_forgets_when_the_run_is_over(self):
        keeper = self.keeper()
        keeper.write(rows=7)
        keeper.forget()

        assert self.store.get(KEY) is None

    def test_without_a_store_it_remembers_the_last_for_a_deferral(self):
        keeper = Keeper(Checkpoint("f", 1.0), None)
        keeper.write(rows=7)
        keeper.forget()

        assert keeper.last.rows == 7
        assert not keeper.durable


def journey(kinds, **options):
    return Voyage(kinds, random.Random(1), **options)  # noqa: S311


WEB = ["web"] * 30
OFFLINE = ["offline"] * 30


def killed(made, at=25):
    with pytest.raises(KilledError):
        made.go(Fuse(kill=at))
    assert 0 < Checkpoint.from_json(made.store.get(KEY)).rows < 30


def test_a_source_that_changed_is_noticed_and_nothing_is_sent():
    made = journey(WEB)
    killed(made)
    calls, before = made.pinterest.calls, made.store.get(KEY)

    made.kinds = ["invalid", *WEB[1:]]
    with pytest.raises(SourceChanged) as found:
        made.go()

    assert not found.value.harmful
    assert made.pinterest.calls == calls
    assert made.store.get(KEY) == before


def test_a_source_that_changed_after_offline_events_were_sent_is_harmful():
    made = journey(OFFLINE)
    killed(made)
    made.kinds = ["invalid", *OFFLINE[1:]]

    with pytest.raises(SourceChanged) as found:
        made.go()

    assert found.value.harmful


def test_a_source_that_became_shorter_than_the_prefix_is_noticed():
    made = journey(WEB)
    killed(made)
    made.kinds = []

    with pytest.raises(SourceChanged):
        made.go()


def test_a_source_that_changed_among_marked_rows_is_noticed():
    made = journey(OFFLINE)
    killed(made)
    checkpoint = Checkpoint.from_json(made.store.get(KEY))
    assert checkpoint.marks
    made.kinds = [*OFFLINE[: checkpoint.rows], "invalid", *OFFLINE[checkpoint.rows + 1 :]]

    with pytest.raises(SourceChanged):
        made.go()


def test_rows_added_behind_are_sent_with_the_rest():
    made = journey(WEB)
    killed(made)
    made.kinds = [*WEB, *WEB]

    run = made.go()

    assert run.finished
    assert len(made.pinterest.copies) == 60


@pytest.mark.parametrize("error", [InterruptedTask, OSError])
@pytest.mark.parametrize("kinds", [WEB, OFFLINE, ["web", "offline"] * 15], ids=["web", "offline", "mixed"])
def test_a_source_that_breaks_off_while_it_is_read_again_changes_nothing(kinds, error):
    """Wherever: in the prefix, among the marked rows, right after."""
    for broken_after in range(30):
        made = journey(kinds)
        killed(made)
        before = Checkpoint.from_json(made.store.get(KEY))

        def source(after=broken_after):
            for number, chunk in enumerate(chunks(kinds, 1)):
                if number == after:
                    raise error
                yield chunk

        with pytest.raises(error):
            made.go(source=source())

        after = Checkpoint.from_json(made.store.get(KEY))
        if broken_after < max(before.rows, *(mark.last for mark in before.marks), 0):
            assert after == before
        assert after.rows >= before.rows
        run = made.go()
        assert run.finished
        assert not [one for one, kind in made.events.items() if kind == "offline" and made.pinterest.copies[one] > 1]
        assert run.tally.events_sent == 30


def test_the_clock_of_the_first_try_is_kept():
    made = journey(WEB)
    killed(made)

    assert Checkpoint.from_json(made.store.get(KEY)).clock == NOW


def test_a_single_refused_row_that_is_left_is_isolated_and_not_taken_for_a_wrong_mapping():
    """Else a run whose last row is bad could never end once a try was killed before it."""
    made = journey(["web"] * 6, batch_size=3)
    made.pinterest.poison = {"e-4", "e-5", "e-6"}
    made.store.set(KEY, Checkpoint("f", NOW, 3, hash_of(map(event, (1, 2, 3))), Delivered(processed=3)).as_json())

    run = made.go()

    assert run.tally.delivered.failed == 3
    assert {line["event_id"] for line in made.folder.lines()} == made.pinterest.poison


def test_without_anything_accepted_in_an_earlier_try_the_mapping_is_wrong():
    made = journey(["web"] * 6, batch_size=3)
    made.pinterest.poison = set(made.events)

    for _ in range(2):
        with pytest.raises(RefusedError):
            made.go()
    assert made.run.tally.rows_not_sent == made.run.tally.events_built
    assert made.folder.lines() == []


@pytest.mark.parametrize(("word", "error"), [("denied", CredentialError), ("away", UnavailableError)])
def test_a_stop_is_accounted_for_and_the_next_try_sends_the_rest_once(word, error):
    made = journey(["web", "offline"] * 15)
    made.pinterest.chances = {word: 0.3}
    with pytest.raises(error):
        made.go()
    tally = made.run.tally
    assert tally.events_sent + tally.rows_not_sent == tally.events_built
    assert made.folder.lines() == []

    made.pinterest.chances = {}
    run = made.go()

    assert set(made.pinterest.copies.values()) == {1}
    assert len(made.pinterest.copies) == 30
    assert run.tally.delivered.processed == 30


def test_a_store_that_cannot_be_written_ends_the_run_before_another_offline_batch_goes_out():
    made = journey(OFFLINE, batch_size=3)
    with pytest.raises(OSError):  # noqa: PT011 - the store's own
        made.go(Fuse(interrupt=0, raises=OSError))

    assert made.pinterest.calls == 0


def test_a_run_without_a_store_keeps_its_last_checkpoint_for_a_deferral():
    made = journey(["web"] * 9, remembers=False)
    made.pinterest.chances = {"away": 0.5}
    made.chance.seed(5)
    with pytest.raises(UnavailableError):
        made.go()

    last = made.run._plan.keeper.last

    assert last.rows + sum(len(range(mark.first, mark.last + 1)) for mark in last.marks) == sum(
        made.pinterest.copies.values()
    )
