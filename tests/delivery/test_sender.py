"""A batch until it is settled: bisecting, sizes, unknown, tokens, pauses, deadlines, stops."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_pinterest.api.credentials import Credential, Tokens
from airflow_provider_pinterest.api.events_endpoint import Refused
from airflow_provider_pinterest.api.rate_limit import RateLimiter, Stopped
from airflow_provider_pinterest.api.responses import AccessDenied, OutcomeUnknown, TooLarge, Trace, Unavailable
from airflow_provider_pinterest.conversions.batches import Batch
from airflow_provider_pinterest.delivery.checkpoint import KEY, Checkpoint
from airflow_provider_pinterest.delivery.sender import SAME_REFUSALS, OnUnknownOutcome, Sender
from airflow_provider_pinterest.delivery.stored_state import read_state
from airflow_provider_pinterest.exceptions import CredentialError, RefusedError, UnavailableError
from airflow_provider_pinterest.redaction import Secret
from harness.scripted_server import (
    BROKEN,
    ScriptedReply,
    accepts_once,
    drips_its_body,
    drips_its_head,
    pours,
    says_nothing,
    serving,
)
from tests.api.wire import WireScenario, client
from tests.delivery.world import (
    BatchDelivery,
    FakePace,
    InterruptedTask,
    batch,
    event,
    ids_of,
    listed,
    once,
    row_batches,
    sender,
)
from tests.waiting import until


class Scripted:
    """A client that answers as a function of the ids says, and keeps what was sent."""

    test = False

    def __init__(self, answer=lambda ids: None, credential=None, on_renewal=lambda used: None):
        self.on_renewal = on_renewal
        self.answer = answer
        self.sent: list[list[str]] = []
        self.bodies: list[bytes] = []
        self.credential = credential or SimpleNamespace(expired=False, renewable=False, token="t")
        self.renewals = []

    @property
    def client(self):
        return self

    def send(self, _, body, events, *, begin, fresh=False):
        ids = ids_of(body)
        begin()
        self.sent.append(ids)
        self.bodies.append(body)
        return self.answer(ids) or listed(len(ids))

    def renew(self, used, refused=None):
        self.renewals.append(used)
        self.on_renewal(used)

    def abort(self): ...


def in_turn(*answers):
    left = list(answers)
    return lambda ids: left.pop(0) if left else None


def poison(*rows, message="'x' was unexpected", accepted=None):
    """Return what refuses requests with some rows, and adds the ids of the others to a list."""
    bad = {f"e-{row}" for row in rows}

    def answer(ids):
        if bad & set(ids):
            return Refused(Trace(400, message=message), partly=False)
        if accepted is not None:
            accepted.extend(ids)
        return None

    return answer


def accounted(batch_, done):
    """Every event is in exactly one place."""
    assert done.delivered.failed + done.delivered.held == len(done.rejections)
    assert done.delivered.processed + len(done.rejections) + len(done.unsent) == len(batch_)
    assert not {one.row for one in done.rejections} & {event.row for event in done.unsent}
    return done


def threaded(fake: Any, pace: RateLimiter, **options: Any) -> Sender:
    """Return a sender on the real clock."""
    return Sender(fake, pace, **options)


def deliver(fake, batch_, pace=None, *, accepted_before=False, **options):
    made = sender(fake, pace, **options)
    if accepted_before:
        made.trust()
    return accounted(batch_, BatchDelivery(made, batch_))


# ---- bisecting ----


@pytest.mark.parametrize("row", [1, 2, 499, 500, 501, 999, 1000])
def test_one_poisonous_event_of_a_thousand_is_isolated_in_ten_levels(row):
    fake = Scripted(poison(row))
    done = deliver(fake, batch(1000))

    assert [one.row for one in done.rejections] == [row]
    assert done.rejections[0].reasons[0].code == "pinterest_refused"
    assert done.delivered.processed == 999
    assert len(fake.sent) <= 1 + 2 * 10
    assert sum(f"e-{row}" in ids for ids in fake.sent) <= 11
    assert all(sum(one in ids for ids in fake.sent) <= 11 for one in fake.sent[0])


def test_several_poisonous_events_are_isolated_and_the_rest_goes_once():
    bad = [3, 4, 5, 500, 777, 1000]
    accepted: list[str] = []
    done = deliver(Scripted(poison(*bad, accepted=accepted)), batch(1000))

    assert [one.row for one in done.rejections] == bad
    assert len(accepted) == len(set(accepted)) == 994


def test_halves_go_out_in_the_order_of_the_rows():
    accepted: list[str] = []
    deliver(Scripted(poison(5, accepted=accepted)), batch(16))

    assert accepted == [f"e-{row}" for row in range(1, 17) if row != 5]


def test_every_copy_of_an_event_has_the_same_bytes():
    fake = Scripted(in_turn(OutcomeUnknown(Trace(500)), Refused(Trace(400), partly=False)))

    deliver(fake, batch(2))

    bodies = fake.bodies
    assert bodies[0] == bodies[1]
    assert bodies[2][9:-2] + b"," + bodies[3][9:-2] == bodies[0][9:-2]


def test_a_first_batch_of_which_nothing_is_accepted_means_that_the_mapping_is_wrong():
    done = deliver(Scripted(poison(1, 2, 3)), batch(3))

    assert isinstance(done.error, RefusedError)
    assert len(done.unsent) == 3
    assert not done.rejections


def test_the_same_batch_later_on_is_made_of_bad_rows():
    done = deliver(Scripted(poison(1, 2, 3)), batch(3), accepted_before=True)

    assert done.error is None
    assert len(done.rejections) == 3


def test_fifty_events_in_a_row_refused_with_the_same_words_stop_the_run():
    bad = range(101, 200)
    fake = Scripted(poison(*bad))
    done = deliver(fake, batch(1000))

    assert isinstance(done.error, RefusedError)
    assert done.delivered.processed == 100
    assert len(done.unsent) == 900
    assert not done.rejections
    assert len(fake.sent) < 200


def test_forty_nine_do_not():
    done = deliver(Scripted(poison(*range(101, 100 + SAME_REFUSALS))), batch(1000))

    assert done.error is None
    assert done.delivered.failed == SAME_REFUSALS - 1


def test_other_words_in_between_start_the_count_anew():
    def answer(ids):
        return Refused(Trace(400, message="odd" if len(ids) == 1 and ids[0] == "e-40" else "same"), partly=False)

    done = deliver(Scripted(answer), batch(80), accepted_before=True)

    assert done.error is None
    assert done.delivered.failed == 80


def test_an_accepted_part_in_between_starts_the_count_anew():
    done = deliver(Scripted(poison(*range(1, 41), *range(43, 81))), batch(80))

    assert done.error is None
    assert done.delivered.failed == 78


def test_a_stop_in_the_middle_of_bisecting_accounts_for_every_part():
    def answer(ids):
        if "e-9" in ids and len(ids) == 1:
            return AccessDenied(Trace(403))
        return poison(3, 9)(ids)

    done = deliver(Scripted(answer), batch(16))

    assert isinstance(done.error, CredentialError)
    assert [one.row for one in done.rejections] == [3]
    assert [one.row for one in done.unsent] == list(range(9, 17))


# ---- size ----


def largest(count):
    return lambda ids: TooLarge(Trace(413)) if len(ids) > count else None


def test_a_body_that_is_too_large_is_halved_until_it_fits_and_the_size_is_known_then():
    fake = Scripted(largest(3))
    made = sender(fake)
    whole = batch(16)

    done = accounted(whole, BatchDelivery(made, whole))

    assert done.delivered.processed == 16
    assert made.max_bytes == batch(4).size // 2


def test_an_event_too_large_alone_is_refused_with_its_row():
    done = deliver(Scripted(lambda ids: TooLarge(Trace(413, message="too large")) if "e-2" in ids else None), batch(3))

    assert [(one.row, one.reasons[0].code) for one in done.rejections] == [(2, "pinterest_refused")]


# ---- unknown outcomes ----

WEB, OFFLINE = event(1), event(2, offline=True)


@pytest.mark.parametrize(
    ("on_unknown_outcome", "held"),
    [(None, [2]), (OnUnknownOutcome.HOLD, [1, 2]), (OnUnknownOutcome.RESEND, [])],
    ids=["by kind", "hold", "resend"],
)
def test_a_mixed_batch_with_unknown_outcome_is_cut_anew(on_unknown_outcome, held):
    fake = Scripted(in_turn(OutcomeUnknown(Trace(500))))
    done = deliver(fake, Batch([WEB, OFFLINE]), on_unknown_outcome=on_unknown_outcome)

    assert [one.row for one in done.rejections] == held
    assert {one.reasons[0].code for one in done.rejections} <= {"outcome_unknown"}
    assert fake.sent[1:] == ([[f"e-{row}" for row in (1, 2) if row not in held]] if len(held) < 2 else [])
    assert done.delivered.processed == 2 - len(held)


@pytest.mark.parametrize("only", [WEB, OFFLINE], ids=["web", "offline"])
def test_a_batch_of_one_kind_with_unknown_outcome_is_resent_or_held_as_a_whole(only):
    fake = Scripted(in_turn(OutcomeUnknown(Trace(500)), OutcomeUnknown(Trace())))
    done = deliver(fake, Batch([only]))

    assert done.delivered.held == (1 if only is OFFLINE else 0)
    assert len(fake.sent) == (1 if only is OFFLINE else 3)


def test_in_test_mode_nothing_is_recorded_so_nothing_is_held():
    fake = Scripted(in_turn(OutcomeUnknown(Trace(500))))
    fake.test = True

    assert deliver(fake, Batch([OFFLINE]), on_unknown_outcome=OnUnknownOutcome.HOLD).delivered.processed == 1


def test_late_events_that_are_resent_with_unknown_outcome_are_counted_once():
    late = [event(1, age=7_200), event(2, age=60), event(3, age=3_700)]
    done = deliver(Scripted(in_turn(*[OutcomeUnknown(Trace(500))] * 3)), Batch(late))

    assert done.delivered.warnings == {"dedup_uncertain": 2}
    assert done.delivered.retries == 3


def test_an_unknown_word_holds_that_event_alone():
    done = deliver(Scripted(lambda ids: listed(3, failed=[0], unknown=[2])), batch(3))

    assert [(one.row, one.stage) for one in done.rejections] == [(1, "pinterest"), (3, "outcome_unknown")]
    assert done.delivered.processed == 1


# ---- time ----


def test_a_batch_gives_up_when_all_its_waits_together_are_too_long():
    pace = FakePace()
    done = deliver(Scripted(lambda ids: Unavailable(Trace(503), 7.0)), batch(2), pace, max_wait=30.0)

    assert isinstance(done.error, UnavailableError)
    assert done.error.retry_after == 7
    assert pace.waited == [7.0] * 4
    assert len(done.unsent) == 2


def test_no_wait_at_all_means_one_call():
    fake = Scripted(lambda ids: Unavailable(Trace(503)))

    assert isinstance(deliver(fake, batch(1), max_wait=0.0).error, UnavailableError)
    assert len(fake.sent) == 1


def test_a_429_pauses_everybody_and_a_503_only_its_own_batch():
    for answer, paused in ((Unavailable(Trace(429), 3.0, for_all=True), [3.0]), (Unavailable(Trace(503), 3.0), [])):
        pace = FakePace()
        deliver(Scripted(in_turn(answer)), batch(1), pace)
        assert pace.paused == paused
        assert pace.waited == [3.0]


def test_every_attempt_counts_against_the_rate_limit():
    asked = []

    class Counting(FakePace):
        def wait(self, ad_account_id=""):
            asked.append(1)

    fake = Scripted(in_turn(Unavailable(Trace(503)), Refused(Trace(400), partly=False)))

    done = deliver(fake, batch(2), Counting())

    assert len(asked) == len(fake.sent) == done.delivered.calls == 4


def test_a_429_pauses_all_threads():
    """Real threads: eight batches, the first answer is a 429, and nobody calls while the pause lasts."""
    pace = RateLimiter("pause", calls_per_minute=10**6)
    moments = []
    first = threading.Event()

    def answer(ids):
        moments.append(time.monotonic())
        if not first.is_set():
            first.set()
            return Unavailable(Trace(429), 0.08, for_all=True)
        return None

    made = threaded(Scripted(answer), pace)
    with ThreadPoolExecutor(8) as threads:
        ends = [threads.submit(BatchDelivery, made, batch(1, 1))]
        first.wait()
        until(lambda: pace._resume)
        ends += [threads.submit(BatchDelivery, made, batch(1, row)) for row in range(2, 9)]
        assert all(end.result().error is None for end in ends)

    assert min(moments[1:]) - moments[0] >= 0.08


# ---- tokens ----


def renewable(**changes):
    return SimpleNamespace(**{"expired": False, "renewable": True, "token": "old", **changes})


def test_a_401_renews_once_and_the_second_ends_the_run():
    fake = Scripted(lambda ids: AccessDenied(Trace(401)), renewable())

    done = deliver(fake, batch(3))

    assert isinstance(done.error, CredentialError)
    assert fake.renewals == ["old"]
    assert len(fake.sent) == 2
    assert len(done.unsent) == 3


def test_a_renewal_that_fails_ends_the_run_and_the_batch_is_not_sent():
    def refuse(used):
        raise CredentialError("no")

    fake = Scripted(lambda ids: AccessDenied(Trace(401)), renewable(), refuse)
    done = deliver(fake, Batch([OFFLINE]))

    assert isinstance(done.error, CredentialError)
    assert done.unsent == [OFFLINE]


def test_eight_threads_that_meet_a_401_renew_once_and_every_event_arrives_once(pinterest):
    credential = Credential(
        Tokens(
            Secret(pinterest.oauth_token),
            Secret(pinterest.refresh_token),
            pinterest.app_id,
            Secret(pinterest.app_secret),
        )
    )
    pinterest.fault("delay", seconds=0.01)
    scenario = WireScenario(pinterest.url, ["web"] * 200, credential=credential, in_flight=8, batch_size=5)

    def expiring():
        for number, row_batch in enumerate(row_batches(scenario.kinds, 5)):
            if number == 20:
                pinterest.expire_tokens()
            yield row_batch

    assert scenario.run_attempt(source=expiring()).finished
    assert len(pinterest.calls(status=401)) > 1
    assert len(pinterest.calls(path="/v5/oauth/token")) == 1
    assert pinterest.copies() == once(200)


def test_threads_that_find_the_token_too_old_renew_it_once():
    """Each looks at its age and then asks for a new one: another thread may have got it in between."""
    lock, renewals = threading.Lock(), []
    found_old = threading.Barrier(4)

    class Credentials:
        renewable = True
        token = "old"

        @property
        def expired(self):
            old = self.token == "old"
            if old:
                found_old.wait(5)
                time.sleep(0.001 * threading.get_native_id() % 0.01)
            return old

    credentials = Credentials()

    def renew(used):
        with lock:
            if credentials.token == used:
                renewals.append(used)
                credentials.token = f"new-{len(renewals)}"

    fake = Scripted(credential=credentials, on_renewal=renew)
    made = sender(fake)
    with ThreadPoolExecutor(4) as threads:
        ends = [threads.submit(BatchDelivery, made, batch(1, row)) for row in range(1, 5)]
        assert all(end.result().error is None for end in ends)

    assert renewals == ["old"]


# ---- stopping, and deadlines ----


@pytest.mark.parametrize("handler", [drips_its_head, drips_its_body, says_nothing], ids=["head", "body", "nothing"])
def test_the_total_deadline_ends_a_call_however_the_server_drips(handler):
    with serving(handler) as wire, client(wire.url, timeouts=(1.0, 5.0, 0.1)) as pinterest:
        started = time.monotonic()
        answer = pinterest.post(b"{}", 1)

        assert isinstance(answer, OutcomeUnknown)
        assert "within 0.1 seconds" in answer.trace.message
        assert time.monotonic() - started < 1


@pytest.mark.parametrize("handler", BROKEN.values(), ids=BROKEN)
def test_an_answer_that_breaks_off_has_an_unknown_outcome(handler):
    with serving(handler) as wire, client(wire.url) as pinterest:
        assert isinstance(pinterest.post(b"{}", 1), OutcomeUnknown)
        assert len(wire.bodies) == 1


def test_an_answer_without_end_is_read_to_its_limit_only():
    with serving(pours) as wire, client(wire.url) as pinterest:
        started = time.monotonic()
        assert isinstance(pinterest.post(b"{}", 1), OutcomeUnknown)
        assert time.monotonic() - started < 5


def test_a_call_after_one_that_was_cut_off_gets_a_connection_of_its_own():
    with serving(drips_its_body, ScriptedReply()) as wire, client(wire.url, timeouts=(1.0, 1.0, 0.05)) as pinterest:
        first = pinterest.post(b"{}", 1)
        second = pinterest.post(b"{}", 1)

    assert isinstance(first, OutcomeUnknown)
    assert type(second).__name__ == "PerEventResults"


@pytest.mark.parametrize("kind", ["web", "offline"])
def test_abort_ends_within_a_second_while_posts_hang(kind):
    with serving(accepts_once, says_nothing) as wire:
        scenario = WireScenario(wire.url, [kind] * 8, batch_size=1, in_flight=4)
        ended = []

        def run_attempt():
            try:
                scenario.run_attempt()
            except Stopped:
                ended.append(time.monotonic())

        thread = threading.Thread(target=run_attempt)
        thread.start()
        until(lambda: len(wire.bodies) >= 5)
        aborted = time.monotonic()
        scenario.stop.set()
        thread.join(5)

    assert ended
    assert ended[0] - aborted < 1
    counters = scenario.run.counters
    assert counters.delivered.processed == 1
    assert counters.delivered.held == (4 if kind == "offline" else 0)
    assert counters.rows_not_sent == counters.events_built - counters.events_sent
    assert len(wire.bodies) == 5
    left = read_state(scenario.store.get(KEY))
    assert isinstance(left, Checkpoint)
    outcome_unknown = [row for pending in left.pending for row in pending.unknown.rows()]
    assert outcome_unknown == ([] if kind == "offline" else [2, 3, 4, 5])


def test_stop_lets_what_is_under_way_finish_and_nothing_else_begin():
    gate, begun = threading.Event(), threading.Event()

    def answer(ids):
        begun.set()
        gate.wait(5)

    made = threaded(Scripted(answer), RateLimiter("stop"))
    with ThreadPoolExecutor(1) as threads:
        end = threads.submit(BatchDelivery, made, batch(2))
        begun.wait(5)
        made.stop()
        gate.set()
        assert end.result().delivered.processed == 2

    after = BatchDelivery(made, batch(2))
    assert isinstance(after.error, Stopped)
    assert len(after.unsent) == 2


def test_a_stop_ends_a_wait_at_once():
    made = threaded(Scripted(lambda ids: Unavailable(Trace(503), 60.0)), RateLimiter("wait"), max_wait=100.0)
    with ThreadPoolExecutor(1) as threads:
        started = time.monotonic()
        end = threads.submit(BatchDelivery, made, batch(1))
        time.sleep(0.01)
        made.stop()
        assert isinstance(end.result().error, Stopped)

    assert time.monotonic() - started < 1


def test_a_guard_that_says_stop_is_asked_before_every_call():
    allowed = [True, True, False]

    def guard():
        if not allowed.pop(0):
            raise Stopped

    fake = Scripted(lambda ids: Unavailable(Trace(503)))
    assert isinstance(deliver(fake, batch(1), guard=guard).error, Stopped)
    assert len(fake.sent) == 2


@pytest.mark.parametrize("kind", ["web", "offline"])
def test_an_interruption_counts_what_was_answered_sends_nothing_more_and_nothing_is_held_for_it(pinterest, kind):
    """As Airflow's execution_timeout does, in the middle of reading."""
    scenario = WireScenario(pinterest.url, [kind] * 60, batch_size=5, in_flight=4)

    def interrupted():
        for number, row_batch in enumerate(row_batches(scenario.kinds, 5)):
            if number == 6:
                until(lambda: len(pinterest.calls()) >= 6)
                time.sleep(0.02)
                raise InterruptedTask
            yield row_batch

    with pytest.raises(InterruptedTask):
        scenario.run_attempt(source=interrupted())

    assert scenario.run.counters.delivered.processed == 30
    assert scenario.run_attempt().finished
    assert set(pinterest.copies().values()) == {1}
    assert scenario.folder.lines() == []
    assert scenario.run.counters.delivered.processed == 60
    assert scenario.run.counters.delivered.calls == len(pinterest.calls()) == 12
