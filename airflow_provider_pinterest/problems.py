"""Everything that is wrong with parameters, collected so that one error names it all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from airflow_provider_pinterest.exceptions import ParameterError, each_problem, problems

SEVERAL = "Several parameters cannot work:"
"""Introduces a list of problems."""

T = TypeVar("T")
D = TypeVar("D")


def raise_all(found: Sequence[str]) -> None:
    """Raise all problems as one error.

    :raises ParameterError: there is one.
    """
    if found:
        raise ParameterError(problems(SEVERAL, found))


class Problems:
    """What is wrong with parameters."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def checked(self, check: Callable[..., T], *arguments: Any, otherwise: D) -> T | D:
        """Return what a function returns; if it raises a ParameterError, note that and return something else."""
        try:
            return check(*arguments)
        except ParameterError as error:
            self.found += each_problem(str(error))
            return otherwise

    def raise_all(self) -> None:
        """Raise what was noted.

        :raises ParameterError: something was.
        """
        raise_all(self.found)
