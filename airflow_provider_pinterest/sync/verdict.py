"""How a run ended: what was delivered, whether that is enough, and what the next attempt will do.

Pure functions from counts to text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from airflow_provider_pinterest.delivery.result import RunCounters
from airflow_provider_pinterest.exceptions import advised


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """How messages name what may happen next.

    :param name: what is running, at the start of a sentence.
    :param again: any later attempt.
    :param clear: a later attempt that a person asks for.
    :param retry: a later attempt that the orchestrator makes by itself.
    :param leave: what to do to leave things as they are.
    :param remembers: where attempts are remembered.
    """

    name: str = "The run"
    again: str = "the next attempt"
    clear: str = "the next attempt"
    retry: str = "the next attempt"
    leave: str = "do not start it again"
    remembers: str = "A state store remembers how far an attempt came."


WITHOUT_ORCHESTRATOR: Final = Vocabulary()

RECOGNISES: Final = "Pinterest recognises by event_name and event_id for 24 hours"


@dataclass(frozen=True, slots=True)
class Ending:
    """What an attempt that ended early leaves behind.

    :param tally: its counts.
    :param prefix: rows up to the last one before which everything is accounted for.
    :param doubtful: events that may have arrived and will be sent again.
    :param will_be_held: events that may have arrived and will be held.
    :param remembers: whether a later attempt knows how far this one came.
    :param recorded: whether Pinterest records what is sent: not in test mode, nor where events are only validated.
    :param offline: whether events were sent that Pinterest cannot deduplicate.
    :param waited: seconds that it waited for Pinterest to be available.
    :param earlier: events that earlier attempts delivered, if this one ended before it had read their rows again.
    :param recognised: whether Pinterest recognises all of the doubtful events.
    :param accepts_copies: whether the user accepts second copies of any event.
    :param repeats: whether rows beyond the prefix may have been sent of which nothing is remembered.
    :param forced: whether the user wants every row sent regardless of earlier attempts.
    :param refused: whether the attempt was refused because events could be counted twice.
    :param counted: whether the next attempt will know that it is not the first.
    :param vocabulary: names what may happen next.
    """

    tally: RunCounters
    prefix: int = 0
    doubtful: int = 0
    will_be_held: int = 0
    remembers: bool = True
    recorded: bool = True
    offline: bool = False
    waited: float = 0.0
    earlier: int = 0
    recognised: bool = True
    accepts_copies: bool = False
    repeats: bool = False
    forced: bool = False
    refused: bool = False
    counted: bool = True
    vocabulary: Vocabulary = WITHOUT_ORCHESTRATOR

    def sentence(self) -> str:
        """Return what was delivered, how long it waited, and what the next attempt will do."""
        return f"{self._delivered()} {self._next()}"

    def _delivered(self) -> str:
        tally = self.tally
        known = tally.events_built
        if self.earlier:
            said = f"This attempt delivered no event; earlier ones delivered {self.earlier:,}"
        elif known:
            said = f"{tally.delivered.accepted:,} of {known:,} events that were read were delivered"
            if tally.delivered.held:
                said += f", {tally.delivered.held:,} are held"
        else:
            said = "This attempt delivered no event"
        if self.waited >= 1:
            said += f", after waiting {_duration(self.waited)} for Pinterest"
        return f"{said}."

    def _next(self) -> str:
        again = _capital(self.vocabulary.again)
        if not self.recorded:
            return f"Nothing is recorded by Pinterest, so {self.vocabulary.again} starts at row 1."
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
        sent = self.tally.delivered.settled + self.doubtful + self.will_be_held
        if not sent and (self.accepts_copies or self.forced or not self.counted):
            return f"{again} starts at row 1."
        if not self.counted and not (self.accepts_copies or self.forced):
            return f"{again} sends every row again, because there is no state store. {_copies(offline=self.offline)}"
        if self.accepts_copies or self.forced:
            return f"{again} sends every row again, and events may be counted twice."
        if self.offline:
            return (
                f"{again} refuses to send again, because nothing is remembered between attempts and Pinterest "
                "cannot deduplicate some of the events."
            )
        refuses = "refuses events that Pinterest cannot deduplicate, because nothing is remembered between attempts"
        if not sent:
            return f"{again} starts at row 1, and {refuses}."
        return f"{again} sends every row again, all of which {RECOGNISES}; it {refuses}."

    def _sends(self) -> str:
        again = []
        if self.doubtful:
            what = RECOGNISES if self.recognised else "may be counted twice"
            again.append(f"{_events(self.doubtful)} with unknown outcome a second time, which {what}")
        if self.repeats:
            again.append("a second time what was sent from there on, as far as Pinterest recognises it")
        if not self.will_be_held:
            return f"sends {' and '.join(again)}" if again else "sends nothing twice"
        holds = f"holds {_events(self.will_be_held)} with unknown outcome"
        return f"sends {' and '.join(again)}, and {holds}" if again else f"sends nothing twice; it {holds}"


def _copies(*, offline: bool) -> str:
    """Return what becomes of the copies when nothing is remembered and nobody counts attempts."""
    if offline:
        return "Pinterest cannot deduplicate some of the events, so those are counted twice."
    return "Pinterest deduplicates them by event_name and event_id for 24 hours."


def not_begun(*, remembers: bool, first: bool, vocabulary: Vocabulary, counted: bool = True) -> str:
    """Return what to say of an attempt that ended before it knew where to begin.

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
    tally: RunCounters,
    *,
    max_rejected: float,
    min_events: int,
    max_duplicates: float = 1.0,
    remembers: bool = True,
    recorded: bool = True,
    offline: bool = False,
    listed: str | None = None,
    counted: bool = True,
    vocabulary: Vocabulary = WITHOUT_ORCHESTRATOR,
) -> str | None:
    """Return why a run that came to its end fails all the same, or ``None`` when it succeeds.

    :param max_rejected: rows that may be rejected or fail, a number or a share.
    :param min_events: events that must be processed.
    :param max_duplicates: rows that may be duplicates, a number or a share.
    :param remembers: whether a later attempt knows what became of the events.
    :param recorded: whether Pinterest records what is sent.
    :param offline: whether events were sent that Pinterest cannot deduplicate, and the user accepts no second copies.
    :param listed: the folder that lists the rows, if there is one.
    :param counted: whether the next attempt will know that it is not the first.
    :param vocabulary: names what may happen next.
    """
    where = f" They are listed in {listed}." if listed else ""
    again = _capital(vocabulary.clear)
    if not recorded:
        end = f"Nothing is recorded by Pinterest, so {vocabulary.clear} is safe."
    elif not tally.events_built:
        end = f"No row became a valid event, so none was sent. {again} reads the rows again."
    else:
        after = _after_clear(tally, again, remembers=remembers, offline=offline, counted=counted)
        end = f"{_accepted(tally)}; {after}"
    held = tally.delivered.held
    if held:
        clear = (
            f"{again} sends nothing again that was accepted, and the held events only with "
            "on_unknown_outcome='resend', which may count them twice."
            if remembers
            else f"{again} would send every row again and is refused."
            if counted
            else f"{again} sends every row again, because there is no state store, and may count events twice."
        )
        done = f"{'To leave them as they are,' if remembers else 'Then'} {vocabulary.leave}."
        happened = (
            f"{held:,} events were sent and their outcome is unknown (reason outcome_unknown): a second copy could be "
            f"counted twice, so they were held.{where}"
        )
        return f"{advised(happened, f'Look for them in Ads Manager. {done}')}\n{_accepted(tally)}. {clear}"
    if tally.rejected > _allowed(max_rejected, tally):
        most = ", ".join(f"{code} {count:,}" for code, count in tally.reasons_of_rejections.most_common(3))
        happened = (
            f"{tally.rejected:,} of {tally.rows_read:,} rows were rejected or failed ({most}), more than max_rejected "
            f"{max_rejected} allows.{where}"
        )
        same = max(tally.reasons_of_rejections.values()) == tally.rows_read
        do = (
            "All rows have the same problem: correct the SQL or the mapping."
            if same
            else "Correct the rows at their source, or raise max_rejected."
        )
        return f"{advised(happened, do)}\n{end}"
    if tally.duplicates_dropped > _allowed(max_duplicates, tally):
        happened = (
            f"{tally.duplicates_dropped:,} of {tally.rows_read:,} rows have the event_name and event_id of an earlier "
            f"row and were dropped, more than max_duplicates {max_duplicates} allows."
        )
        do = "Check whether event_id is the same for different events, or raise max_duplicates."
        return f"{advised(happened, do)}\n{end}"
    if tally.arrived < min_events:
        happened = f"Only {tally.arrived:,} events were processed, fewer than min_events {min_events:,}."
        return f"{advised(happened, 'Check whether the source has fewer rows than usual.')}\n{end}"
    return None


def _allowed(limit: float, tally: RunCounters) -> float:
    """Return how many rows a limit allows: an int counts rows, a float is a share of the rows read."""
    return limit * tally.rows_read if isinstance(limit, float) else limit


def _accepted(tally: RunCounters) -> str:
    arrived = tally.delivered.accepted
    return f"{arrived:,} of {tally.events_built:,} events were accepted"


def _after_clear(tally: RunCounters, again: str, *, remembers: bool, offline: bool, counted: bool) -> str:
    """Return what the next attempt sends after a run that came to its end."""
    if not remembers and not counted:
        return f"{again} sends every row again, because there is no state store. {_copies(offline=offline)}"
    if not remembers:
        if offline:
            return (
                f"{again} is refused, because nothing is remembered between attempts and Pinterest cannot deduplicate "
                "some of the events."
            )
        return f"{again} sends every row again."
    if tally.delivered.failed:
        return f"{again} sends only the {tally.delivered.failed:,} that failed, as long as the rows stay the same."
    return f"{again} sends nothing again that was accepted, as long as the rows stay the same."


def all_accepted_before(tally: RunCounters, when: str) -> str:
    """Return what to say when a cleared run has nothing left to send."""
    return (
        f"All {tally.delivered.already_sent:,} events of this run were accepted by an attempt that ended on {when}; "
        "nothing was sent again. To send them again anyway, and count them twice if Pinterest does not recognise them, "
        "set send_everything_again=True."
    )
