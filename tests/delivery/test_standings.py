"""What a refusal means for an ad account and for the run."""

from __future__ import annotations

import threading

import pytest

from airflow_provider_pinterest.api.interruptible import Stopped
from airflow_provider_pinterest.delivery.standings import (
    FIRST_DENIED,
    FIRST_FRUITLESS,
    REFUSED_IN_A_ROW,
    SAME_REFUSALS,
    AccountStandings,
    Standings,
)
from airflow_provider_pinterest.exceptions import CredentialError, RefusedError, UnavailableError

A, B = "549755885171", "549755885172"


def go_on() -> None:
    """Do not stop."""


def denied(standings: Standings, account: str, status: int = 403) -> bool:
    """Send a batch to an account without access; return whether the account fails alone."""
    assert standings.begin(account, go_on) is None
    standings.deny(account, status)
    return standings.end(account, CredentialError("no role", status=status))


def test_with_one_account_any_error_ends_the_run():
    standings = Standings()

    assert not denied(standings, A)
    assert standings.begin(A, go_on) is None
    assert standings.reject_all(A, error := RefusedError("no")) is error


@pytest.mark.parametrize("status", [403, 404])
def test_an_account_without_access_fails_alone_and_gets_no_more_batches(status):
    standings = AccountStandings()

    assert denied(standings, A, status)
    assert isinstance(standings.begin(A, go_on), CredentialError)
    assert standings.begin(B, go_on) is None


@pytest.mark.parametrize("status", [301, 401, 402, 407, 451])
def test_other_statuses_are_about_the_token_or_the_network(status):
    assert not denied(AccountStandings(), A, status)


def test_a_token_that_cannot_be_renewed_is_not_about_the_account():
    standings = AccountStandings()
    standings.begin(A, go_on)

    assert not standings.end(A, CredentialError("the refresh token is refused", status=403))


@pytest.mark.parametrize("error", [UnavailableError("busy"), Stopped(), RuntimeError()])
def test_errors_that_are_not_refusals_end_the_run(error):
    standings = AccountStandings()
    standings.begin(A, go_on)

    assert not standings.end(A, error)


def decided(standings: Standings) -> tuple[bool, bool]:
    return standings.undecided, standings.outage


def stays_away(standings: Standings, account: str) -> bool:
    """Wait for an account in vain; return whether it fails alone."""
    assert standings.begin(account, go_on) is None
    standings.miss(account)
    return standings.end(account, UnavailableError("busy", status=503))


def test_an_account_that_stays_unavailable_is_set_aside_if_another_one_is_accepted():
    standings = AccountStandings()

    assert not stays_away(standings, A)
    assert decided(standings) == (True, False)
    standings.accept(B)

    assert decided(standings) == (False, False)
    assert standings.set_aside(A) is standings.begin(A, go_on) is not None
    assert standings.end(A, standings.set_aside(A))


def test_an_account_is_set_aside_at_once_if_another_one_was_accepted_while_it_waited():
    standings = AccountStandings()
    standings.begin(A, go_on)
    standings.miss(A)
    standings.accept(B)

    assert standings.end(A, UnavailableError("busy", status=503))
    assert not standings.undecided


def test_two_more_accounts_that_are_unavailable_show_an_outage():
    standings = AccountStandings()
    stays_away(standings, A)
    standings.miss(B)
    standings.miss(B)
    assert decided(standings) == (True, False)

    standings.miss("549755885173")

    assert decided(standings) == (False, True)
    assert not standings.end(B, UnavailableError("busy", status=503))


def test_accounts_that_were_unavailable_before_do_not_show_an_outage():
    standings = AccountStandings()
    others = [str(number) for number in range(5)]
    for account in others:
        standings.miss(account)
    stays_away(standings, A)
    for account in others:
        standings.miss(account)

    assert standings.undecided


def test_a_missing_connection_is_not_about_an_account():
    standings = AccountStandings()
    standings.begin(A, go_on)

    assert not standings.end(A, UnavailableError("cannot connect"))
    assert standings.set_aside(A) is None


def test_the_run_ends_if_the_first_accounts_are_all_denied():
    standings = AccountStandings()

    assert [denied(standings, str(number)) for number in range(FIRST_DENIED)] == [True] * (FIRST_DENIED - 1) + [False]


def test_an_accepted_event_shows_that_the_token_is_right():
    standings = AccountStandings()
    standings.accept(A)

    found = [denied(standings, str(number)) for number in range(REFUSED_IN_A_ROW)]

    assert found == [True] * (REFUSED_IN_A_ROW - 1) + [False]


def test_refusals_count_in_a_row():
    standings = AccountStandings()
    for number in range(3 * REFUSED_IN_A_ROW):
        standings.accept(A)
        assert denied(standings, str(number))


def test_small_first_batches_do_not_tell_that_the_mapping_is_wrong():
    standings = AccountStandings()
    error = RefusedError("no")

    found = [standings.reject_all(str(number), error) for number in range(FIRST_FRUITLESS)]

    assert found == [None] * (FIRST_FRUITLESS - 1) + [error]


def test_once_an_event_was_accepted_all_of_a_batch_may_be_rejected():
    standings = AccountStandings()
    standings.trust()

    assert all(standings.reject_all(str(number), RefusedError("no")) is None for number in range(100))


def test_rejected_events_are_counted_per_account():
    standings = AccountStandings()
    for _ in range(SAME_REFUSALS - 1):
        assert not standings.reject_event(A, "bad")
        assert not standings.reject_event(B, "bad")

    standings.accept(B)

    assert not standings.reject_event(B, "bad")
    assert standings.reject_event(A, "bad")


def test_the_second_batch_of_an_account_waits_for_the_first():
    standings = AccountStandings()
    standings.begin(A, go_on)
    began = threading.Event()

    def second() -> None:
        standings.begin(A, go_on)
        began.set()

    thread = threading.Thread(target=second)
    thread.start()

    assert standings.begin(B, go_on) is None
    assert not began.wait(0.1)
    standings.end(A, None)
    assert began.wait(5)
    thread.join()


@pytest.mark.parametrize("error", [UnavailableError("busy"), CredentialError("wrong", status=401), RuntimeError()])
def test_if_the_first_batch_is_not_settled_the_next_one_is_the_first(error):
    """The run ends with the oldest batch, which may be the one that waits."""
    standings = AccountStandings()
    standings.begin(A, go_on)
    standings.end(A, error)

    def stop() -> None:
        raise AssertionError("it waits")

    assert standings.begin(A, stop) is None


def test_a_batch_that_waits_notices_a_stop():
    standings = AccountStandings()
    standings.begin(A, go_on)

    def stop() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        standings.begin(A, stop)
