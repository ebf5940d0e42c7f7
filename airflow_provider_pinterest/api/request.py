"""A request to Pinterest's API."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Request(NamedTuple):
    """A request. Secret parts are created when they are written, so that no local variable holds them.

    :param path: path below the base URL, with query.
    :param body: returns the body; ``None``: no body.
    :param content_type: content type of the body.
    :param authorization: returns the value of the ``Authorization`` header; ``None``: the access token.
    :param method: the HTTP method.
    """

    path: str
    body: Callable[[], bytes] | None = None
    content_type: str = "application/json"
    authorization: Callable[[], str] | None = None
    method: str = "POST"
