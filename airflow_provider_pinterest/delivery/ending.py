"""How a run ended, in the words of the person who looks at it at night: what arrived, and what Clear will do.

Pure functions from counts to text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from airflow_provider_pinterest.delivery.result import Tally
from airflow_provider_pinterest.exceptions import advised

RECOGNISES = "Pinterest recognises by event_name and event_id for 24 hours"


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
    """

    tally: Tally
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

    def sentence(self) -> str:
        """Return what was delivered, how long it waited, and what Clear or a retry will do."""
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
        if not self.recorded:
            return "Nothing is recorded by Pinterest, so Clear or a retry starts at row 1."
        if self.refused:
            return "Clear or a retry is refused as well, unless send_everything_again=True is set."
        if not self.remembers:
            return self._next_unremembered()
        who = "A retry" if self.forced else "Clear or a retry"
        said = f"{who} continues at row {self.prefix + 1:,} and {self._sends()}."
        return f"{said} Clear sends every row again, because of send_everything_again=True." if self.forced else said

    def _next_unremembered(self) -> str:
        sent = self.tally.delivered.settled + self.doubtful + self.will_be_held
        if self.accepts_copies or self.forced:
            if not sent:
                return "Clear or a retry starts at row 1."
            return "Clear or a retry sends every row again, and events may be counted twice."
        if self.offline:
            return (
                "Clear or a retry refuses to send again, because nothing is remembered between attempts and Pinterest "
                "cannot deduplicate some of the events."
            )
        refuses = "refuses events that Pinterest cannot deduplicate, because nothing is remembered between attempts"
        if not sent:
            return f"Clear or a retry starts at row 1, and {refuses}."
        return f"Clear or a retry sends every row again, all of which {RECOGNISES}; it {refuses}."

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


UNBEGUN_AT_FIRST: Final = "Nothing was sent. Clear or a retry starts at row 1."
"""What to say of the first attempt of a run, if it failed before it began."""

UNBEGUN: Final = "This attempt sent nothing. Clear or a retry continues where earlier attempts ended."
"""What to say of an attempt that failed before it knew where to begin, where attempts are remembered."""


def _events(count: int) -> str:
    return f"{count:,} event{'' if count == 1 else 's'}"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def judge(
    tally: Tally,
    *,
    max_rejected: float,
    min_events: int,
    max_duplicates: float = 1.0,
    remembers: bool = True,
    recorded: bool = True,
    offline: bool = False,
    listed: str | None = None,
) -> str | None:
    """Return why a run that came to its end fails all the same, or ``None`` when it succeeds.

    :param max_rejected: rows that may be rejected or fail, a number or a share.
    :param min_events: events that must be processed.
    :param max_duplicates: rows that may be duplicates, a number or a share.
    :param remembers: whether a later attempt knows what became of the events.
    :param recorded: whether Pinterest records what is sent.
    :param offline: whether events were sent that Pinterest cannot deduplicate, and the user accepts no second copies.
    :param listed: the folder that lists the rows, if there is one.
    """
    where = f" They are listed in {listed}." if listed else ""
    end = _end(tally, remembers=remembers, recorded=recorded, offline=offline)
    held = tally.delivered.held
    if held:
        clear = (
            "Clear sends nothing again that was accepted, and the held events only with on_doubt='resend', which may "
            "count them twice."
            if remembers
            else "Clear would send every row again and is refused."
        )
        done = "To leave them as they are, mark the task as success." if remembers else "Then mark the task as success."
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


def _allowed(limit: float, tally: Tally) -> float:
    """Return how many rows a limit allows: an int counts rows, a float is a share of the rows read."""
    return limit * tally.rows_read if isinstance(limit, float) else limit


def _accepted(tally: Tally) -> str:
    arrived = tally.delivered.accepted
    return f"{arrived:,} of {tally.events_built:,} events were accepted"


def _end(tally: Tally, *, remembers: bool, recorded: bool, offline: bool) -> str:
    """Return what was accepted, and what Clear does."""
    if not recorded:
        return "Nothing is recorded by Pinterest, so Clear is safe."
    if not tally.events_built:
        return "No row became a valid event, so none was sent. Clear reads the rows again."
    return f"{_accepted(tally)}; {_after_clear(tally, remembers=remembers, offline=offline)}"


def _after_clear(tally: Tally, *, remembers: bool, offline: bool) -> str:
    if not remembers:
        if offline:
            return (
                "Clear is refused, because nothing is remembered between attempts and Pinterest cannot deduplicate "
                "some of the events."
            )
        return "Clear sends every row again."
    if tally.delivered.failed:
        return f"Clear sends only the {tally.delivered.failed:,} that failed, as long as the rows stay the same."
    return "Clear sends nothing again that was accepted, as long as the rows stay the same."


def all_accepted_before(tally: Tally, when: str) -> str:
    """Return what to say when a cleared run has nothing left to send."""
    return (
        f"All {tally.delivered.already_sent:,} events of this run were accepted by an attempt that ended on {when}; "
        "nothing was sent again. To send them again anyway, and count them twice if Pinterest does not recognise them, "
        "set send_everything_again=True."
    )
