"""How a run ended, in the words of the person who looks at it at night: what arrived, and what Clear will do.

Pure functions from counts to text.
"""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_pinterest.delivery.result import Tally

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
    """

    tally: Tally
    prefix: int = 0
    doubtful: int = 0
    will_be_held: int = 0
    remembers: bool = True
    recorded: bool = True
    offline: bool = False
    waited: float = 0.0

    def sentence(self) -> str:
        """Return what was delivered, how long it waited, and what Clear or a retry will do."""
        return f"{self._delivered()} {self._next()}"

    def _delivered(self) -> str:
        tally = self.tally
        arrived = tally.delivered.accepted
        known = tally.events_built
        said = f"{arrived:,} of {known:,} events that were read were delivered" if known else "No event was delivered"
        if self.waited >= 1:
            said += f", after waiting {_duration(self.waited)} for Pinterest"
        return f"{said}."

    def _next(self) -> str:
        sent = self.tally.delivered.settled + self.doubtful + self.will_be_held
        if not self.recorded:
            return "Nothing is recorded by Pinterest, so Clear or a retry starts at row 1."
        if not self.remembers:
            if self.offline:
                return (
                    "Clear or a retry refuses to send again, because nothing is remembered between attempts and "
                    "Pinterest cannot deduplicate some of the events."
                )
            if not sent:
                return "Clear or a retry starts at row 1."
            return f"Clear or a retry sends every row again, all of which {RECOGNISES}."
        start = f"Clear or a retry continues at row {self.prefix + 1:,} and sends"
        parts = []
        if self.doubtful:
            parts.append(f"{self.doubtful:,} events with unknown outcome a second time, which {RECOGNISES}")
        if self.will_be_held:
            parts.append(f"holds {self.will_be_held:,} events with unknown outcome")
        if not parts:
            return f"{start} nothing twice."
        return f"{start} {' and '.join(parts)}." if self.doubtful else f"{start} nothing twice; it {parts[0]}."


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def judge(tally: Tally, *, max_rejected: float, min_events: int, remembers: bool = True) -> str | None:
    """Return why a run that came to its end fails all the same, or ``None`` when it succeeds."""
    held = tally.delivered.held
    if held:
        clear = (
            "Clear sends nothing again that was accepted, and the held events only with on_doubt='resend', which may "
            "count them twice. To leave them as they are, mark the task as success."
            if remembers
            else "Clear would send every row again and is refused; mark the task as success when you have checked."
        )
        return (
            f"{_accepted(tally)}. {held:,} events were sent and their outcome is unknown (reason outcome_unknown): a "
            "second copy could be counted twice, so they were held. Look for them in Ads Manager. "
            f"{clear}"
        )
    allowed = max_rejected * tally.rows_read if isinstance(max_rejected, float) else max_rejected
    if tally.rejected > allowed:
        most = ", ".join(f"{code} {count:,}" for code, count in tally.all_reasons.most_common(3))
        return (
            f"{tally.rejected:,} of {tally.rows_read:,} rows were rejected or failed ({most}), more than max_rejected "
            f"{max_rejected} allows. {_accepted(tally)}; {_after_clear(tally, remembers=remembers)}"
        )
    if tally.arrived < min_events:
        return (
            f"Only {tally.arrived:,} events were processed, fewer than min_events {min_events:,}. "
            f"Did the source shrink? {_accepted(tally)}; {_after_clear(tally, remembers=remembers)}"
        )
    return None


def _accepted(tally: Tally) -> str:
    arrived = tally.delivered.accepted
    return f"{arrived:,} of {tally.events_built:,} events were accepted"


def _after_clear(tally: Tally, *, remembers: bool) -> str:
    if tally.validated_only:
        return "nothing was sent, so Clear is safe."
    if not remembers:
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
