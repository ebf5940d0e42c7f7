"""Collects the problems with parameters, so that one error names all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from airflow_provider_pinterest.exceptions import ParameterError, each_problem, problems

SEVERAL = "Several parameters are wrong:"
"""Introduces a list of problems."""

T = TypeVar("T")
D = TypeVar("D")


def raise_all(found: Sequence[str]) -> None:
    """Raise all problems as one error.

    :raises ParameterError: there is at least one problem.
    """
    if found:
        raise ParameterError(problems(SEVERAL, found))


class Problems:
    """The problems with parameters."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def checked(self, check: Callable[..., T], *arguments: Any, otherwise: D) -> T | D:
        """Call a function and return its result; if it raises a ParameterError, note it and return ``otherwise``."""
        try:
            return check(*arguments)
        except ParameterError as error:
            self.found += each_problem(str(error))
            return otherwise

    def raise_all(self) -> None:
        """Raise the noted problems.

        :raises ParameterError: there is at least one.
        """
        raise_all(self.found)
