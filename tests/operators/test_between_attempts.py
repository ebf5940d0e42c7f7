"""What changes between two attempts of a task: what is stored, the rows, the parameters, the connection."""

import datetime as dt
import json

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred

from airflow_provider_pinterest.exceptions import UnavailableError
from airflow_provider_pinterest.sandbox import Sandbox
from tests.operators.attempts import Life, broken_off, copies, failing, finished, interrupted, offline, small
from tests.running import ids, row, rows

ACCEPTED_FOUR = copies((1, 4, 1))

VERSION_2 = {
    "version": 2,
    "fingerprint": "1a71c33ec8f44af5270126580a1ee6ba",
    "clock": 0.0,
    "rows": 4,
    "events_hash": "2cec67e6b65a384ffd773e79f7e627aa",
    "delivered": {
        "processed": 4,
        "failed": 0,
        "held": 0,
        "calls": 2,
        "retries": 0,
        "reasons": {},
        "warnings": {},
        "lags": {"counts": {"62": 4}, "longest": 62, "late": 0, "stale": 0},
    },
    "offline": True,
    "marks": [],
    "ahead": 0,
    "on_doubt": None,
    "written": 0.0,
}
"""What version 2 stored after it had sent four of ten rows."""

DIGESTS_2 = ((5, "0ad9ab205b38dde7ea25bc16dfff365c"), (7, "8af5a98fd26c693c233218be93378553"))
"""First rows of batches of two, and what version 2 stored as their hashes."""

MARK_2 = [
    5,
    6,
    "0ad9ab205b38dde7ea25bc16dfff365c",
    {
        "processed": 0,
        "failed": 0,
        "held": 0,
        "calls": 1,
        "retries": 0,
        "reasons": {},
        "warnings": {},
        "lags": {"counts": {}, "longest": None, "late": 0, "stale": 0},
    },
    [[5, 6]],
    [],
    0.0,
]
"""A batch of which version 2 did not know whether it had arrived."""


def without(state, name):
    return {key: value for key, value in state.items() if key != name}


UNREADABLE = {
    "version 1": lambda _: {"version": 1, "rows": 4},
    "version 99": lambda state: {**state, "version": 99},
    "a lost field": lambda state: without(state, "clock"),
    "a field of another type": lambda state: {**state, "rows": "many"},
    "a list": lambda _: [1, 2, 3],
    "a text": lambda _: "started",
    "a number": lambda _: 0,
    "foreign data": lambda _: {"cursor": "abc", "page": 3},
    "nothing but braces": lambda _: {},
}
every_unreadable = pytest.mark.parametrize("spoil", UNREADABLE.values(), ids=UNREADABLE.keys())


class TestAStateThatCannotBeRead:
    @every_unreadable
    def test_offline_rows_are_refused_and_stay_refused(self, pinterest, spoil):
        life = interrupted(pinterest, offline())
        life.state = spoil(life.state)

        for ran in (life.attempt(), life.clear(), life.clear()):
            assert isinstance(ran.error, AirflowFailException)
            assert "send_everything_again=True" in ran.said
            assert "Traceback" not in ran.said
            assert pinterest.copies() == ACCEPTED_FOUR

    @every_unreadable
    def test_web_rows_are_sent_again_with_a_warning(self, pinterest, spoil):
        life = interrupted(pinterest)
        life.state = spoil(life.state)

        ran = life.attempt()

        assert ran.error is None
        assert "cannot be read" in ran.log
        assert pinterest.copies() == copies((1, 4, 2), (5, 10, 1))
        assert ran["events_processed"] == 10

    def test_the_way_out_that_the_message_names_works(self, pinterest):
        life = interrupted(pinterest, offline())
        life.state = {"cursor": "abc"}
        life.attempt()

        assert life.clear(send_everything_again=True).error is None
        assert pinterest.copies() == copies((1, 4, 2), (5, 10, 1))

    def test_after_web_rows_were_sent_the_refusal_holds_for_offline_rows_behind_them(self, pinterest):
        mixed = [*rows(4), *(row(number, action_source="offline") for number in range(5, 11))]
        life = interrupted(pinterest, mixed, after=4)
        assert pinterest.copies() == copies((1, 8, 1))
        life.state = "lost"

        for ran in (life.attempt(), life.clear()):
            assert isinstance(ran.error, AirflowFailException)
            assert "send_everything_again=True" in ran.said
        assert pinterest.copies() == copies((1, 4, 2), (5, 8, 1))

    def test_second_copies_that_were_accepted_once_are_refused_later(self, pinterest):
        life = interrupted(pinterest, offline(), after=4)
        life.state = [1]
        broken_off(pinterest, life, after=1, on_unknown_outcome="resend")
        assert pinterest.copies() == copies((1, 2, 2), (3, 8, 1))

        assert isinstance(life.attempt().error, AirflowFailException)
        assert pinterest.copies() == copies((1, 2, 2), (3, 8, 1))


class TestAStateOfVersion2:
    @pytest.fixture
    def stored(self):
        now = dt.datetime.now(dt.UTC).timestamp()
        return {**json.loads(json.dumps(VERSION_2)), "clock": now - 60, "written": now - 30}

    @pytest.mark.parametrize("source", ["offline", "web"])
    def test_it_is_continued(self, pinterest, stored, source):
        life = Life(**small(rows(10, action_source=source)))
        life.tries = 1
        life.state = {**stored, "offline": source == "offline"}

        ran = life.attempt()

        assert ran.error is None
        assert pinterest.copies() == copies((5, 10, 1))
        assert (ran["events_processed"], ran["rows_read"], ran["resumed_from"]) == (10, 10, 4)

    @pytest.mark.parametrize(("source", "sent"), [("web", (5, 10)), ("offline", (7, 10))])
    def test_events_with_unknown_outcome_are_sent_again_or_held(self, pinterest, stored, source, sent, tmp_path):
        life = Life(**small(rows(10, action_source=source)))
        life.tries = 1
        mark = [*MARK_2[:6], stored["written"]]
        life.state = {**stored, "offline": source == "offline", "marks": [mark], "on_doubt": "resend"}

        ran = life.attempt()

        assert pinterest.copies() == copies((*sent, 1))
        assert ran["events_held"] == (2 if source == "offline" else 0)
        assert (ran.error is None) is (source == "web")

    def test_other_rows_are_refused(self, pinterest, stored):
        life = Life(**small([row(0, action_source="offline"), *offline(9)]))
        life.tries = 1
        life.state = stored

        assert isinstance(life.attempt().error, AirflowFailException)
        assert pinterest.copies() == {}

    def test_its_successor_is_stored_in_the_new_form_and_continued(self, pinterest, stored):
        life = Life(**small(offline()))
        life.tries = 1
        life.state = stored
        broken_off(pinterest, life, after=1)
        assert life.state["version"] == 3

        assert life.attempt().error is None
        assert pinterest.copies() == copies((5, 10, 1))

    @pytest.mark.parametrize("source", ["offline", "web"])
    def test_its_batches_are_continued_by_the_second_attempt_after_it_too(self, pinterest, stored, source):
        life = Life(**small(rows(10, action_source=source)))
        life.tries = 1
        marks = [[first, first + 1, digest, MARK_2[3], [], [[first, first + 1]], 0.0] for first, digest in DIGESTS_2]
        life.state = {**stored, "offline": source == "offline", "marks": marks}
        assert isinstance(broken_off(pinterest, life, after=0).error, UnavailableError)

        ran = life.attempt()

        assert ran.error is None
        assert "Resuming" in ran.log
        assert pinterest.copies() == copies((5, 10, 1))

    def test_a_message_names_a_version_that_is_not_known(self, pinterest, stored):
        life = Life(**small())
        life.tries = 1
        life.state = {**stored, "version": 99}

        assert "unknown version 99" in life.attempt().log

    @pytest.mark.parametrize("source", ["offline", "web"])
    def test_the_end_of_a_run_is_the_end_for_its_retry(self, pinterest, source):
        life = Life(**small(rows(10, action_source=source)))
        life.tries = 1
        life.state = {"finished": 2, "result": self.result(), "problem": None, "max_tries": 1}

        assert life.attempt().error is None
        assert pinterest.calls() == []

    def test_after_clear_the_end_of_a_run_says_nothing_of_its_rows(self, pinterest):
        life = Life(**small(offline()))
        life.tries = 1
        life.state = {"finished": 2, "result": self.result(), "problem": None, "max_tries": 1}

        ran = life.clear()

        assert isinstance(ran.error, AirflowFailException)
        assert "send_everything_again=True" in ran.said
        assert pinterest.calls() == []

    def result(self):
        counts = dict.fromkeys(
            ("events_failed", "events_held", "rows_rejected", "duplicates_dropped", "already_sent", "validated_only"), 0
        )
        return {**counts, "rows_read": 10, "events_sent": 10, "events_processed": 10, "rows_not_sent": 0, "seconds": 1}


class TestAnInvalidRowOfABatchUnderWay:
    """The first attempt leaves a batch with unknown outcome that has an invalid row in its middle."""

    def events(self, source):
        found = rows(9, action_source=source)
        found.insert(4, row(99, action_source="nowhere"))
        return found

    @pytest.fixture(params=["web", "offline"])
    def source(self, request):
        return request.param

    @pytest.fixture
    def life(self, pinterest, source):
        """Ten rows in batches of four, the second of which is in unknown: the invalid row and order-5 to order-8."""
        life = Life(**small(self.events(source), batch_size=4, max_rejected=1.0))
        answers = {"on_unknown_outcome": "resend"} if source == "offline" else {}
        with failing(pinterest, status=500, after=1, after_accepting=True):
            life.attempt(**answers)
        assert life.state["pending"]
        assert pinterest.copies() == ids(8)
        return life

    @pytest.mark.parametrize("place", [None, 0, 5, 7, 9], ids=lambda place: f"moved to {place}")
    def test_no_event_is_lost_and_no_offline_event_sent_again(self, pinterest, life, source, place):
        changed = rows(9, action_source=source)
        if place is not None:
            changed.insert(place, row(99, action_source="nowhere"))

        ran = life.attempt(events=changed)

        found = pinterest.copies()
        if source == "web":
            assert ran.error is None
            assert set(found) == set(ids(9))
            assert ran["events_processed"] == 9
        else:
            assert isinstance(ran.error, AirflowFailException)
            assert found == ids(8)

    def test_unchanged_it_continues(self, pinterest, life, source):
        ran = life.attempt()

        assert set(pinterest.copies()) == set(ids(9))
        if source == "offline":
            assert ran["events_held"] == 4
            assert pinterest.copies() == ids(9)
        else:
            assert ran["events_processed"] == 9


class TestTheRowsEndBeforeWhatWasUnderWay:
    @pytest.mark.parametrize("source", ["web", "offline"])
    def test_it_is_noticed(self, pinterest, source):
        life = Life(**small(rows(10, action_source=source)))
        with failing(pinterest, status=500, after=2, after_accepting=True):
            life.attempt(**({"on_unknown_outcome": "resend"} if source == "offline" else {}))
        assert life.state["pending"]

        ran = life.attempt(events=rows(5, action_source=source))

        if source == "web":
            assert "The rows of the source changed" in ran.log
            assert ran["events_processed"] == 5
        else:
            assert isinstance(ran.error, AirflowFailException)
            assert pinterest.copies() == copies((1, 6, 1))


class TestADeferralBesideWhatIsStored:
    @pytest.fixture
    def life(self, pinterest):
        """A task that was deferred after four of ten offline rows."""
        life = Life(**small(offline(), deferrable=True))
        pinterest.fault("status", status=503, after=2, headers={"Retry-After": "300"})
        assert isinstance(life.attempt().error, TaskDeferred)
        pinterest.clear_faults()
        self.deferral = life.deferred.kwargs
        return life

    def test_a_newer_stored_state_wins(self, pinterest, life):
        broken_off(pinterest, life, after=2, deferrable=False)
        assert pinterest.copies() == copies((1, 8, 1))

        assert life.wake(self.deferral).error is None
        assert pinterest.copies() == ids(10)

    def test_a_stored_end_wins(self, pinterest, life):
        assert life.attempt(deferrable=False).error is None

        assert life.wake(self.deferral).error is None
        assert pinterest.copies() == ids(10)

    def test_a_newer_deferral_wins_over_an_older_stored_state(self, pinterest, life):
        older = life.state
        with failing(pinterest, status=503, after=2, headers={"Retry-After": "300"}):
            life.wake()
        assert pinterest.copies() == copies((1, 8, 1))
        newer = life.deferred.kwargs
        life.state = older

        assert life.wake(newer).error is None
        assert pinterest.copies() == ids(10)

    def test_a_deferral_that_cannot_be_read_does_not_begin_anew(self, pinterest, life):
        life.store.values.clear()

        assert isinstance(life.wake({"checkpoint": {"version": 99}}).error, AirflowFailException)
        assert pinterest.copies() == ACCEPTED_FOUR

    def test_a_deferral_that_cannot_be_read_beside_a_state_that_can_continues(self, pinterest, life):
        assert life.wake({"checkpoint": {"version": 99}}).error is None
        assert pinterest.copies() == ids(10)


class TestTheConnectionLeadsElsewhere:
    def test_offline_rows_are_refused_when_the_host_changed(self, pinterest, connect):
        life = interrupted(pinterest, offline())

        with Sandbox() as other:
            connect(other)
            ran = life.attempt()
            assert other.calls() == []

        assert isinstance(ran.error, AirflowFailException)
        assert "host" in ran.said
        assert pinterest.copies() == ACCEPTED_FOUR

    def test_web_rows_all_reach_the_new_host(self, pinterest, connect):
        life = interrupted(pinterest)

        with Sandbox() as other:
            connect(other)
            ran = life.attempt()
            assert other.copies() == ids(10)

        assert ran.error is None
        assert "host changed" in ran.log

    @pytest.mark.parametrize("where", ["connection", "parameter"])
    def test_offline_rows_are_refused_when_the_account_changed(self, pinterest, connect, where):
        life = interrupted(pinterest, offline())
        account = "549755885176"

        if where == "connection":
            connect(pinterest, extra={"ad_account_id": account})
            ran = life.attempt()
        else:
            ran = life.attempt(ad_account_id=account)

        assert isinstance(ran.error, AirflowFailException)
        assert "ad_account_id" in ran.said
        assert pinterest.copies() == ACCEPTED_FOUR

    def test_a_finished_run_says_nothing_of_another_account(self, pinterest, connect):
        life = finished(offline())

        assert isinstance(life.clear(ad_account_id="549755885176").error, AirflowFailException)
        assert pinterest.copies() == ids(10)


class TestEventsThatCanBeReadOnce:
    @pytest.mark.parametrize("source", ["web", "offline"])
    def test_an_iterator_is_refused_before_any_call(self, pinterest, source):
        """A task that is mapped over outputs is made when it runs: the error must not be tried again then."""
        with pytest.raises(AirflowFailException, match="Pass a list"):
            Life(**small([])).attempt(events=iter(rows(10, action_source=source)))
        assert pinterest.calls() == []

    @pytest.mark.parametrize("source", ["web", "offline"])
    def test_a_function_that_yields_rows_continues(self, pinterest, source):
        life = interrupted(pinterest, [], function=yielding(rows(10, action_source=source)))

        assert life.attempt().error is None
        assert pinterest.copies() == ids(10)

    def test_it_is_called_again_when_the_rows_have_changed(self, pinterest):
        life = interrupted(pinterest, [], function=yielding(rows(10)))

        ran = life.attempt(function=yielding([row(0), *rows(10)]))

        assert ran.error is None
        assert ran["events_processed"] == 11
        assert set(pinterest.copies()) == {"order-0", *ids(10)}

    def test_after_clear_only_the_failed_event_goes_out(self, pinterest):
        life = Life(**small([], max_rejected=1.0, function=yielding(offline())))
        with failing(pinterest, "fail_event", event_id="order-3"):
            life.attempt()

        ran = life.clear()

        assert ran.error is None
        assert (ran["events_processed"], ran["already_sent"]) == (1, 9)
        assert pinterest.copies() == ids(10)


def yielding(found):
    """Return a function that yields rows."""

    def orders():
        yield from found

    return orders


class TestTheKindOfSourceChanges:
    @pytest.mark.parametrize(("before", "after"), [("web", "offline"), ("offline", "web")])
    def test_it_is_noticed(self, pinterest, before, after):
        life = interrupted(pinterest, rows(10, action_source=before))

        assert isinstance(life.attempt(events=rows(10, action_source=after)).error, AirflowFailException)
        assert pinterest.copies() == ACCEPTED_FOUR

    def test_second_copies_that_were_accepted_once_are_not_accepted_for_ever(self, pinterest):
        life = Life(**small(offline()))
        broken_off(pinterest, life, on_unknown_outcome="resend")

        assert isinstance(life.attempt(events=rows(10)).error, AirflowFailException)
        assert pinterest.copies() == ACCEPTED_FOUR

    @pytest.mark.parametrize("row_number", [1, 4, 5, 6])
    def test_one_row_is_enough(self, pinterest, row_number):
        life = Life(**small())
        with failing(pinterest, status=500, after=2, after_accepting=True):
            life.attempt()
        changed = rows(10)
        changed[row_number - 1]["action_source"] = "offline"

        assert isinstance(life.attempt(events=changed).error, AirflowFailException)
        assert pinterest.copies(action_source="offline") == {}

    def test_from_web_to_app_changes_nothing(self, pinterest):
        life = interrupted(pinterest)

        assert life.attempt(events=rows(10, action_source="app_ios")).error is None
        assert pinterest.copies() == ids(10)


class TestTheNumberOfRetriesChanges:
    @pytest.mark.parametrize("retries", [0, 1, 2, 5])
    def test_a_clear_is_told_from_a_retry(self, pinterest, retries):
        life = Life(retries=2, **small(offline()))
        with failing(pinterest, "fail_event", event_id="order-3"):
            life.attempt(max_rejected=1.0)
        life.retries = retries

        ran = life.clear(max_rejected=1.0)

        assert ran.error is None
        assert (ran["events_processed"], ran["already_sent"]) == (1, 9)
        assert pinterest.copies() == ids(10)

    def test_a_clear_is_told_from_a_retry_where_max_tries_comes_out_the_same(self, pinterest):
        life = Life(retries=2, **small(offline(), max_rejected=1.0))
        with failing(pinterest, "fail_event", event_id="order-3"):
            life.attempt()
        before = life.max_tries
        life.retries = 1

        ran = life.clear()

        assert life.max_tries == before
        assert pinterest.copies() == ids(10)
        assert ran["events_processed"] == 1
