"""What an error tracker prints: the locals of the frames of an error, and of the errors behind it."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from airflow_provider_pinterest.erasure.deletion_options import IdentifierKind
from airflow_provider_pinterest.erasure.targets import Targets

TESTS = Path(__file__).parent.parent
EMAIL = "ada.secret@example.com"


def printed(error):
    """Yield what is printed of each frame outside the tests."""
    found, waiting = [], [error]
    while waiting:
        one = waiting.pop()
        if one is None or one in found:
            continue
        found.append(one)
        waiting += [one.__cause__, one.__context__]
        yield str(one)
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if not Path(frame.f_code.co_filename).is_relative_to(TESTS):
                yield from map(repr, frame.f_locals.values())


class Breaking:
    """Rows that end with an error of the source."""

    def __iter__(self):
        yield {"email": EMAIL}
        raise RuntimeError(EMAIL)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 400},
        {"kind": "status", "status": 403},
        {"kind": "status", "status": 503, "headers": {"Retry-After": "60"}},
        {"kind": "drop", "after_accepting": True},
        {"kind": "malformed", "form": "html"},
        None,
    ],
)
def test_no_frame_shows_a_person(pinterest, attempt, fault):
    if fault:
        pinterest.fault(fault.pop("kind"), on="deletion_create", **fault)
    source = [{"email": EMAIL}] if fault else Breaking()
    with pytest.raises(Exception) as raised:  # noqa: PT011 - any
        attempt(source)

    assert not [text for text in printed(raised.value) if "secret@" in text]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_an_interruption_does_not_either(pinterest, attempt, monkeypatch, interruption):
    monkeypatch.setattr(Targets, "digest", lambda *_: (_ for _ in ()).throw(interruption()))
    from harness.task import MemoryStateStore

    with pytest.raises(interruption) as raised:
        attempt([{"email": EMAIL}], state=MemoryStateStore())

    assert not [text for text in printed(raised.value) if "secret@" in text]


def test_the_people_of_a_request_are_not_shown():
    targets = Targets(IdentifierKind.EMAIL, [EMAIL] * 3, [1, 2, 3])

    assert repr(targets) == str(targets) == "<3 e-mail addresses, not shown>"
    assert EMAIL in str(targets.body())
    assert [len(half) for half in targets.halves()] == [2, 1]
