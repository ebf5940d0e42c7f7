"""The sentences about the end of a run: what was delivered, whether it fails, and what the next attempt will do.

Pure functions from counts to text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from airflow_provider_pinterest.delivery import account_counts
from airflow_provider_pinterest.delivery.result import RunCounters
from airflow_provider_pinterest.delivery.standings import named
from airflow_provider_pinterest.exceptions import advised


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """The terms of an orchestrator, for messages.

    :param name: what is running, at the start of a sentence.
    :param again: any later attempt.
    :param clear: a later attempt that a person starts.
    :param retry: a later attempt that the orchestrator starts.
    :param leave: how to accept the run as it is.
    :param remembers: a sentence on what is needed to resume.
    """

    name: str = "The run"
    again: str = "the next attempt"
    clear: str = "the next attempt"
    retry: str = "the next attempt"
    leave: str = "do not start it again"
    remembers: str = "With a state store, a later attempt continues where this one ended."


WITHOUT_ORCHESTRATOR: Final = Vocabulary()

DEDUPLICATES: Final = "Pinterest deduplicates by event_name and event_id for 24 hours"


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of an attempt that ended early.

    :param counters: its counts.
    :param prefix: number of rows at the start of the source that are accounted for.
    :param unknown: events with unknown outcome that will be sent again.
    :param will_be_held: events with unknown outcome that will be held.
    :param remembers: whether a later attempt can resume.
    :param recorded: whether Pinterest records the events; false in test mode and if events are only validated.
    :param offline: whether events were sent that Pinterest cannot deduplicate.
    :param waited: seconds that the attempt waited for Pinterest to be available.
    :param earlier: events that earlier attempts delivered, if this one ended before it had read their rows again.
    :param deduplicable: whether Pinterest deduplicates all events of ``unknown``.
    :param accepts_copies: whether the user accepts second copies of any event.
    :param repeats: whether rows beyond the prefix may have been sent without a record.
    :param forced: whether the user wants every row sent regardless of earlier attempts.
    :param refused: whether the attempt was refused because events could be counted twice.
    :param counted: whether the next attempt will know that it is not the first.
    :param selects: whether the outcome table tells which rows are sent.
    :param vocabulary: names what may happen next.
    """

    counters: RunCounters
    prefix: int = 0
    unknown: int = 0
    will_be_held: int = 0
    remembers: bool = True
    recorded: bool = True
    offline: bool = False
    waited: float = 0.0
    earlier: int = 0
    deduplicable: bool = True
    accepts_copies: bool = False
    repeats: bool = False
    forced: bool = False
    refused: bool = False
    counted: bool = True
    selects: bool = False
    vocabulary: Vocabulary = WITHOUT_ORCHESTRATOR

    def sentence(self) -> str:
        """Return what was delivered, how long it waited, and what the next attempt will do."""
        return f"{self._delivered()} {self._next()}"

    def _delivered(self) -> str:
        counters = self.counters
        known = counters.events_built
        if self.earlier:
            said = f"This attempt delivered no event; earlier attempts delivered {self.earlier:,}"
        elif known:
            said = f"{counters.delivered.accepted:,} of {known:,} events that were read were delivered"
            if counters.delivered.held:
                said += f", {counters.delivered.held:,} are held"
        else:
            said = "This attempt delivered no event"
        if self.waited >= 1:
            said += f", after waiting {_duration(self.waited)} for Pinterest"
        return f"{said}."

    def _next(self) -> str:
        again = _capital(self.vocabulary.again)
        if not self.recorded:
            return f"Pinterest recorded nothing, so {self.vocabulary.again} starts at row 1."
        if self.selects and not self.refused:
            return f"{again} looks the rows up in the outcome table again, and sends nothing that is processed there."
        if self.refused:
            return f"{again} is refused as well, unless send_everything_again=True is set."
        if not self.remembers:
            return self._next_unremembered()
        who = _capital(self.vocabulary.retry) if self.forced else again
        said = f"{who} continues at row {self.prefix + 1:,} and {self._sends()}."
        if not self.forced:
            return said
        clear = _capital(self.vocabulary.clear)
        everything = f"{clear} sends every row again, because of send_everything_again=True."
        return everything if self.vocabulary.clear == self.vocabulary.retry else f"{said} {everything}"

    def _next_unremembered(self) -> str:
        again = _capital(self.vocabulary.again)
        sent = self.counters.delivered.settled + self.unknown + self.will_be_held
        if not sent and (self.accepts_copies or self.forced or not self.counted):
            return f"{again} starts at row 1."
        if not self.counted and not (self.accepts_copies or self.forced):
            return f"{again} sends every row again, because there is no state store. {_copies(offline=self.offline)}"
        if self.accepts_copies or self.forced:
            return f"{again} sends every row again, and events may be counted twice."
        if self.offline:
            return (
                f"{again} refuses to send again, because attempts are not remembered and Pinterest cannot deduplicate "
                "some of the events."
            )
        refuses = "refuses offline events, because attempts are not remembered and Pinterest cannot deduplicate them"
        if not sent:
            return f"{again} starts at row 1, and {refuses}."
        return f"{again} sends every row again, which {DEDUPLICATES}. It {refuses}."

    def _sends(self) -> str:
        again = []
        if self.unknown:
            what = f"which {DEDUPLICATES}" if self.deduplicable else "which may be counted twice"
            again.append(f"{_events(self.unknown)} with unknown outcome again, {what}")
        if self.repeats:
            events = "events" if self.accepts_copies else "web and app events"
            again.append(f"{events} from that row on again")
        if not self.will_be_held:
            return f"sends {', and '.join(again)}" if again else "sends nothing twice"
        holds = f"holds {_events(self.will_be_held)} with unknown outcome"
        return f"sends {', and '.join(again)}, and {holds}" if again else f"sends nothing twice; it {holds}"


def _copies(*, offline: bool) -> str:
    """Return what happens to copies if no state is stored and attempts are not counted."""
    if offline:
        return "Pinterest cannot deduplicate some of the events, so those are counted twice."
    return "Pinterest deduplicates them by event_name and event_id for 24 hours."


def not_begun(*, remembers: bool, first: bool, vocabulary: Vocabulary, counted: bool = True) -> str:
    """Return the message for an attempt that ended before it knew where to begin.

    :param remembers: whether attempts are remembered.
    :param first: whether it is the first attempt of the run.
    :param counted: whether the next attempt will know that it is not the first.
    """
    again = _capital(vocabulary.again)
    if not remembers:
        return Ending(RunCounters(), remembers=False, counted=counted, vocabulary=vocabulary).sentence()
    if first:
        return f"Nothing was sent. {again} starts at row 1."
    return f"This attempt sent nothing. {again} continues where earlier attempts ended."


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _events(count: int) -> str:
    return f"{count:,} event{'' if count == 1 else 's'}"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def failure_reason(
    counters: RunCounters,
    *,
    max_rejected: float,
    min_events: int,
    max_duplicates: float = 1.0,
    remembers: bool = True,
    recorded: bool = True,
    offline: bool = False,
    listed: str | None = None,
    counted: bool = True,
    resends_held: bool = False,
    vocabulary: Vocabulary = WITHOUT_ORCHESTRATOR,
) -> str | None:
    """Return why a complete run fails, or ``None`` if it succeeds.

    :param max_rejected: largest number or share of rows that may be rejected or fail.
    :param min_events: smallest number of events that must be processed.
    :param max_duplicates: largest number or share of rows that may be duplicates.
    :param remembers: whether a later attempt knows the outcome of the events.
    :param recorded: whether Pinterest records the events.
    :param offline: whether events were sent that Pinterest cannot deduplicate, and the user accepts no second copies.
    :param listed: the folder that lists the rows, if there is one.
    :param counted: whether the next attempt will know that it is not the first.
    :param resends_held: whether the run sends held events again.
    :param vocabulary: names what may happen next.
    """
    where = f" They are listed in {listed}." if listed else ""
    again = _capital(vocabulary.clear)
    if not recorded:
        end = f"Pinterest recorded nothing, so {vocabulary.clear} is safe."
    elif not counters.events_built:
        end = f"No row became a valid event, so none was sent. {again} reads the rows again."
    else:
        after = _after_clear(counters, again, remembers=remembers, offline=offline, counted=counted)
        end = f"{_accepted(counters)}. {after}"
    held = counters.delivered.held
    refused = account_counts.refused(counters.accounts)
    if refused:
        happened = f"{_refused(refused)} Their events were not sent.{where}"
        if held:
            happened += f" {_events(held)} with unknown outcome are held, look for them in Ads Manager."
        do = "Give the token's user a role on these accounts, or remove their rows. The log has Pinterest's answers."
        return f"{advised(happened, do)}\n{end}"
    if held:
        clear = (
            f"{again} sends the held events once more, because of only='held', which may count them twice."
            if resends_held
            else f"{again} does not send accepted events again. It sends the held events only with "
            "on_unknown_outcome='resend', which may count them twice."
            if remembers
            else f"{again} would send every row again and is refused."
            if counted
            else f"{again} sends every row again, because there is no state store, and may count events twice."
        )
        done = f"{'To accept the run as it is,' if remembers else 'Then'} {vocabulary.leave}."
        happened = (
            f"{held:,} events were sent once, and their outcome is unknown (reason outcome_unknown). They were not "
            f"sent again, because a second copy could be counted twice.{where}"
        )
        return f"{advised(happened, f'Look for them in Ads Manager. {done}')}\n{_accepted(counters)}. {clear}"
    if counters.rejected > _allowed(max_rejected, counters):
        most = ", ".join(f"{code} {count:,}" for code, count in counters.reasons_of_rejections.most_common(3))
        happened = (
            f"{counters.rejected:,} of {counters.rows_read:,} rows were rejected or failed ({most}). max_rejected "
            f"allows {_limit(max_rejected)}.{where}"
        )
        same = max(counters.reasons_of_rejections.values()) == counters.rows_read
        do = (
            "All rows have the same problem, so correct the SQL or the mapping."
            if same
            else "Correct the rows in the source, or raise max_rejected."
        )
        return f"{advised(happened, do)}\n{end}"
    if counters.duplicates_dropped > _allowed(max_duplicates, counters):
        happened = (
            f"{counters.duplicates_dropped:,} of {counters.rows_read:,} rows were dropped, because they have the "
            f"event_name and event_id of an earlier row. max_duplicates allows {_limit(max_duplicates)}."
        )
        do = "Check whether different events have the same event_id, or raise max_duplicates."
        return f"{advised(happened, do)}\n{end}"
    if counters.arrived < min_events:
        happened = f"Only {counters.arrived:,} events were processed. min_events requires {min_events:,}."
        return f"{advised(happened, 'Check whether the source has fewer rows than usual.')}\n{end}"
    return None


def _refused(accounts: Mapping[str, int]) -> str:
    """Return a sentence that names refused ad accounts."""
    listed = named([f"{account} ({_events(count)})" for account, count in accounts.items()])
    return f"Pinterest refuses {len(accounts):,} ad account{'' if len(accounts) == 1 else 's'}: {listed}."


def _allowed(limit: float, counters: RunCounters) -> float:
    """Return how many rows a limit allows: an int counts rows, a float is a share of the rows read."""
    return limit * counters.rows_read if isinstance(limit, float) else limit


def _accepted(counters: RunCounters) -> str:
    return f"{counters.delivered.accepted:,} of {counters.events_built:,} events were accepted"


def _limit(limit: float) -> str:
    return f"{100 * limit:.4g} % of the rows" if isinstance(limit, float) else f"{limit:,} rows"


def _after_clear(counters: RunCounters, again: str, *, remembers: bool, offline: bool, counted: bool) -> str:
    """Return what the next attempt sends after a complete run."""
    if not remembers and not counted:
        return f"{again} sends every row again, because there is no state store. {_copies(offline=offline)}"
    if not remembers:
        if offline:
            return (
                f"{again} is refused, because attempts are not remembered and Pinterest cannot deduplicate some of the "
                "events."
            )
        return f"{again} sends every row again."
    if counters.delivered.failed:
        return f"{again} sends only the {counters.delivered.failed:,} that failed, if the rows are still the same."
    return f"{again} does not send accepted events again, if the rows are still the same."


def all_sent_by_others(counters: RunCounters) -> str:
    """Return the message for a run whose events were all sent by earlier runs."""
    return (
        f"No event was sent. According to the outcome table, Pinterest accepted {counters.delivered.already_sent:,} "
        "events of these rows in earlier runs. To send them again, set send_everything_again=True; events that "
        "Pinterest does not deduplicate are then counted twice."
    )


def all_accepted_before(counters: RunCounters, when: str) -> str:
    """Return the message for a cleared run that has nothing left to send."""
    return (
        f"Pinterest accepted all {counters.delivered.already_sent:,} events of this run in an attempt that ended on "
        f"{when}, so nothing was sent again. To send them again, set send_everything_again=True; events that Pinterest "
        "does not deduplicate are then counted twice."
    )
