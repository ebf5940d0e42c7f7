"""Sections of a source: without gaps, the same hash however they are cut, and every change noticed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_pinterest.conversions.batches import Batcher
from airflow_provider_pinterest.conversions.outcomes import Duplicate, Event, Outcome, Rejection, Stage
from airflow_provider_pinterest.conversions.reasons import Reason
from airflow_provider_pinterest.delivery import sections
from airflow_provider_pinterest.delivery.checkpoint import Checkpoint, Finished, PendingBatch, hash_of
from airflow_provider_pinterest.delivery.result import DeliveryCounters
from airflow_provider_pinterest.delivery.rowset import RowSet
from airflow_provider_pinterest.delivery.sections import (
    Section,
    SectionCutter,
    SourceChangedError,
    needs_verification,
    verify_finished,
)
from tests.delivery.world import NOW, event

KINDS = st.lists(st.sampled_from(["web", "offline", "invalid", "duplicate"]), max_size=60)


def outcome(row: int, kind: str) -> Outcome:
    if kind == "invalid":
        return Rejection(row, None, {}, (Reason("bad_email", "em", "not an address"),), Stage.VALIDATION)
    return Duplicate(row) if kind == "duplicate" else event(row, offline=kind == "offline")


def outcomes(kinds: Sequence[str]) -> list[Outcome]:
    return [outcome(row, kind) for row, kind in enumerate(kinds, 1)]


def cut(found: Sequence[Outcome], size: int = 4, resume: Checkpoint | None = None, **options) -> list[Section]:
    return list(SectionCutter(Batcher(size), resume, **options).sections(iter(found)))


def until_noticed(found: Iterator[Section]) -> list[Section]:
    """Return the sections that are handed over before a change is noticed; it must be."""
    handed: list[Section] = []
    with pytest.raises(SourceChangedError):
        handed.extend(found)  # extends it one by one
    return handed


def without_gaps(found: Sequence[Section], rows: int) -> None:
    ends = [0, *(section.last for section in found)]
    assert [section.first for section in found] == [end + 1 for end in ends[:-1]]
    assert ends[-1] == rows


@given(KINDS, st.integers(1, 7), st.sampled_from([1, 30, 4_000_000]))
def test_sections_follow_one_another_without_gaps_and_hold_every_event_once(kinds, size, lines_bytes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sections, "LINES_BYTES", lines_bytes)
        found = cut(outcomes(kinds), size)

    without_gaps(found, len(kinds))
    events = [one.row for section in found for one in section.events]
    assert events == [row for row, kind in enumerate(kinds, 1) if kind in ("web", "offline")]
    for section in found:
        assert section.counts.rows == section.last - section.first + 1
        assert all(section.first <= one.row <= section.last for one in section.events)
        assert len(section.events) <= size
        assert section.counts.events == len(section.events)
        assert section.counts.rows == section.counts.events + section.counts.rejected + section.counts.duplicates
        assert len(section.lines) == section.counts.rejected


@given(st.lists(st.sampled_from(["web", "offline", "invalid", "duplicate"]), min_size=1), st.data())
def test_the_same_rows_have_the_same_hash_however_they_are_cut(kinds, data):
    found = outcomes(kinds)
    expected = hash_of(found)
    for size in (1, 3, data.draw(st.integers(1, 50))):
        made = cut(found, size)
        assert made[-1].hashed.hexdigest() == expected
        for section in made:
            assert section.digest == hash_of(found[section.first - 1 : section.last])
            assert section.hashed.hexdigest() == hash_of(found[: section.last])


def test_a_batch_that_a_long_event_does_not_fit_into_ends_before_it():
    events = [event(row, size=300) for row in range(1, 6)]
    made = list(SectionCutter(Batcher(100, 900)).sections(iter(events)))

    without_gaps(made, 5)
    assert [[one.row for one in section.events] for section in made] == [[1, 2], [3, 4], [5]]


def test_the_rest_of_a_source_that_broke_off_is_a_section():
    cutter = SectionCutter(Batcher(10))

    def breaks() -> Iterator[Outcome]:
        yield from outcomes(["web", "invalid", "web"])
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - the source's own
        list(cutter.sections(breaks()))
    rest = cutter.rest()

    assert rest is not None
    assert (rest.first, rest.last, len(rest.events)) == (1, 3, 2)
    assert cutter.rest() is None


# ---- resuming ----

KEPT = ["web", "invalid", "offline", "duplicate", "web", "web", "offline", "invalid", "web", "duplicate", "web", "web"]
PREFIX = 4
PENDING = ((5, 7), (9, 11))


def checkpoint(kinds: Sequence[str] = KEPT, **changes) -> Checkpoint:
    """Return a checkpoint after which four rows are settled, and two batches with a row between them are pending."""
    found = outcomes(kinds)
    pending = tuple(
        PendingBatch(
            first,
            last,
            hash_of(found[first - 1 : last]),
            DeliveryCounters(),
            open=RowSet().plus(range(first, last + 1)),
        )
        for first, last in PENDING
    )
    made = Checkpoint({}, NOW, PREFIX, hash_of(found[:PREFIX]), pending=pending, ahead=2, ahead_since=NOW - 5)
    return replace(made, **changes)


@given(st.integers(1, 7))
def test_a_resumed_source_is_cut_into_the_prefix_the_pending_batches_and_the_rest(size):
    found = cut(outcomes(KEPT), size, checkpoint())

    without_gaps(found, len(KEPT))
    assert (found[0].last, found[0].prefix, list(found[0].events)) == (PREFIX, True, [])
    assert [(one.first, one.last) for one in found if one.pending] == list(PENDING)
    assert all(one.pending or one.prefix or one.since == NOW - 5 for one in found if one.events)
    assert found[-1].hashed.hexdigest() == hash_of(outcomes(KEPT))


def renumbered(found: Sequence[Outcome]) -> list[Outcome]:
    return [
        one._replace(row=row) if isinstance(one, Event) else replace(one, row=row) for row, one in enumerate(found, 1)
    ]


def replaced(at: int, made: Outcome):
    return lambda found: [made if one.row == at else one for one in found]


def deleted(at: int):
    return lambda found: renumbered([one for one in found if one.row != at])


def inserted(at: int, made: Outcome):
    return lambda found: renumbered([*found[: at - 1], made, *found[at - 1 :]])


def moved(at: int, to: int):
    def change(found):
        rest = [one for one in found if one.row != at]
        return renumbered([*rest[: to - 1], found[at - 1], *rest[to - 1 :]])

    return change


CHANGES = {
    "prefix: a row moved": moved(1, 3),
    "prefix: a row moved out of it": moved(1, 12),
    "prefix: a row deleted": deleted(1),
    "prefix: an invalid row deleted": deleted(2),
    "prefix: a duplicate deleted": deleted(4),
    "prefix: a row inserted": inserted(1, event(90)),
    "prefix: an invalid row inserted": inserted(3, outcome(1, "invalid")),
    "prefix: an invalid row mended": replaced(2, event(2)),
    "prefix: a row spoilt": replaced(1, outcome(1, "invalid")),
    "prefix: action_source changed": replaced(3, event(3)),
    "prefix: a duplicate is another event": replaced(4, event(4)),
    "prefix: an event is a duplicate": replaced(3, Duplicate(3)),
    "prefix: a duplicate is invalid": replaced(4, outcome(4, "invalid")),
    "first batch: a row moved": moved(5, 6),
    "first batch: a row deleted": deleted(6),
    "first batch: a row inserted": inserted(6, event(90)),
    "first batch: a row spoilt": replaced(6, outcome(6, "invalid")),
    "first batch: action_source changed": replaced(7, event(7)),
    "first batch: another id": replaced(6, event(6, id="e-90")),
    "first batch: an event is a duplicate": replaced(6, Duplicate(6)),
    "between: a row deleted": deleted(8),
    "between: a row inserted": inserted(8, event(90)),
    "second batch: a row moved": moved(9, 11),
    "second batch: a duplicate deleted": deleted(10),
    "second batch: a duplicate is another event": replaced(10, event(10)),
    "second batch: a duplicate is invalid": replaced(10, outcome(10, "invalid")),
    "second batch: the source ends in it": lambda found: found[:10],
    "the source ends in the prefix": lambda found: found[:2],
    "the source is empty": lambda found: [],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_noticed_before_anything_of_the_changed_part_is_handed_over(change):
    resume = checkpoint()
    changed = change(outcomes(KEPT))
    original = outcomes(KEPT)
    assert changed != original

    for section in until_noticed(SectionCutter(Batcher(3), resume).sections(iter(changed))):
        if section.prefix or section.pending:
            assert changed[section.first - 1 : section.last] == original[section.first - 1 : section.last]


@pytest.mark.parametrize(
    "change",
    [replaced(8, event(8)), replaced(12, event(12, id="e-90")), inserted(12, event(90)), deleted(12)],
    ids=["mended between", "changed behind", "inserted behind", "deleted behind"],
)
def test_a_change_where_nothing_was_sent_is_harmless(change):
    changed = change(outcomes(KEPT))

    without_gaps(cut(changed, 3, checkpoint()), len(changed))


def test_only_so_many_events_behind_the_batches_may_have_been_sent():
    kinds = [*KEPT, "invalid", "web", "web", "web"]
    found = cut(outcomes(kinds), 1, checkpoint())

    since = {one.row: section.since for section in found for one in section.events if section.first > 7}
    assert since == {9: None, 11: None, 12: NOW - 5, 14: NOW - 5, 15: None, 16: None}


def test_nothing_is_known_of_earlier_attempts():
    found = cut(outcomes(["web", "invalid", "web"]), 1, unknown_before=NOW - 9)

    assert [section.since for section in found if section.events] == [NOW - 9, NOW - 9]


# ---- after the end of a run ----


def finished(kinds: Sequence[str] = KEPT, **changes) -> Finished:
    made = Finished(
        {},
        NOW,
        len(kinds),
        hash_of(outcomes(kinds)),
        DeliveryCounters(processed=sum(kind in ("web", "offline") for kind in kinds)),
        RowSet(),
        RowSet(),
        True,
        {},
        {},
        None,
        NOW,
    )
    return replace(made, **changes)


def cleared(found: Sequence[Outcome], earlier: Finished, size: int = 3, *, resends_held: bool = False) -> list[Section]:
    cutter = SectionCutter(Batcher(size), Checkpoint({}, NOW, earlier=earlier), resends_held=resends_held)
    if needs_verification(earlier, resends_held=resends_held):
        cutter.expect(verify_finished(iter(found), earlier, resends_held=resends_held))
    return list(cutter.sections(iter(found)))


def sent(found: Sequence[Section]) -> list[int]:
    return [one.row for section in found for one in section.events]


def test_after_clear_accepted_events_are_counted_and_not_sent():
    made = cleared(outcomes(KEPT), finished())

    without_gaps(made, len(KEPT))
    assert sent(made) == []
    assert sum(section.counts.already_sent for section in made) == 8


@pytest.mark.parametrize("resends_held", [False, True])
def test_after_clear_failed_events_are_sent_and_held_ones_only_on_request(resends_held):
    earlier = finished(failed=RowSet().plus([1, 9]), held=RowSet().plus([7]))
    made = cleared(outcomes(KEPT), earlier, resends_held=resends_held)

    assert sent(made) == ([1, 7, 9] if resends_held else [1, 9])
    assert [one.row for section in made for one in section.held] == ([] if resends_held else [7])
    assert sum(section.counts.already_sent for section in made) == 5


def test_held_events_that_are_not_sent_are_bounded_in_bytes_as_those_of_a_batch():
    found = [event(row, size=300) for row in range(1, 11)]
    earlier = finished(["web"] * 10, digest=hash_of(found), held=RowSet().plus(range(1, 11)))
    made = list(SectionCutter(Batcher(100, 900), Checkpoint({}, NOW, earlier=earlier)).sections(iter(found)))

    without_gaps(made, 10)
    assert [one.row for section in made for one in section.held] == [*range(1, 11)]
    assert all(sum(len(one.body) for one in section.held) <= section.size <= 1_200 for section in made)


def test_after_clear_rows_behind_the_end_are_sent():
    made = cleared(outcomes([*KEPT, "web", "offline"]), finished())

    assert sent(made) == [13, 14]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("failed", [[], [1, 9]], ids=["all accepted", "some failed"])
def test_after_clear_a_change_is_noticed_and_nothing_is_handed_over_to_send(change, failed):
    earlier = finished(failed=RowSet().plus(failed))
    changed = change(outcomes(KEPT))
    cutter = SectionCutter(Batcher(1), Checkpoint({}, NOW, earlier=earlier))

    def sections_of(found):
        if needs_verification(earlier, resends_held=False):
            cutter.expect(verify_finished(iter(found), earlier, resends_held=False))
        yield from cutter.sections(iter(found))

    assert sent(until_noticed(sections_of(changed))) == []


def test_a_row_that_changes_after_it_was_verified_is_noticed():
    earlier = finished(failed=RowSet().plus([1, 9]))
    cutter = SectionCutter(Batcher(1), Checkpoint({}, NOW, earlier=earlier))
    cutter.expect(verify_finished(iter(outcomes(KEPT)), earlier, resends_held=False))

    with pytest.raises(SourceChangedError):
        list(cutter.sections(iter(replaced(1, event(1, id="e-90"))(outcomes(KEPT)))))


@pytest.mark.parametrize("seed", range(30))
def test_counts_balance_where_it_is_not_known_which_events_failed(seed):
    chance = random.Random(seed)  # noqa: S311
    kinds = chance.choices(["web", "offline", "invalid"], k=chance.randint(1, 30))
    events = sum(kind != "invalid" for kind in kinds)
    lost = chance.randint(0, events)
    earlier = finished(
        kinds, failed=RowSet.forgotten(), delivered=DeliveryCounters(processed=events - lost, failed=lost)
    )
    made = cleared(outcomes(kinds), earlier, chance.randint(1, 5))

    balances = [section.balance for section in made if section.balance]
    assert len(balances) == 1
    counted = sum(section.counts.already_sent for section in made) + balances[0].already_sent
    assert (counted, balances[0].failed) == (events - lost, lost)


@pytest.mark.parametrize("failed", [[1, 12], [1, 5, 6, 11, 12], [12], [8]])
def test_an_interrupted_run_after_clear_goes_on_behind_what_it_has_settled(failed):
    """Events that failed before and are settled by now are verified and not sent again."""
    earlier = finished(failed=RowSet().plus(failed))
    made = SectionCutter(Batcher(3), checkpoint(earlier=earlier))
    made.expect(verify_finished(iter(outcomes(KEPT)), earlier, resends_held=False))

    found = list(made.sections(iter(outcomes(KEPT))))

    without_gaps(found, len(KEPT))
    assert [one.row for section in found if not section.pending for one in section.events] == [
        row for row in failed if row == 12
    ]


def test_a_balance_is_counted_once_however_often_the_run_is_interrupted():
    """The pending batch of an earlier attempt that holds the last row of the finished run has it already."""
    earlier = finished(failed=RowSet.forgotten())
    resume = checkpoint(earlier=earlier)
    found = outcomes(KEPT)
    last = PendingBatch(12, 12, hash_of(found[11:]), DeliveryCounters(failed=1, already_sent=-1))
    made = cut(found, 3, replace(resume, pending=(*resume.pending, last)))

    assert [section.balance for section in made if section.pending] == [None, None, None]
