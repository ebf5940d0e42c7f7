"""The error for a file that cannot be read to its end."""

from __future__ import annotations


class BrokenFileError(Exception):
    """A file cannot be read any further. The source turns it into a ``SourceError`` with the name of the file.

    :param problem: the problem, without personal data, as the end of a sentence.
    :param place: where in the file, such as ``line 12``; empty if the source should say after how many rows.
    :param advice: what to do about it; empty: what helps in general.
    """

    def __init__(self, problem: str, *, place: str = "", advice: str = "") -> None:
        super().__init__(problem, place)
        self.advice = advice
        self.problem = problem
        self.place = place
