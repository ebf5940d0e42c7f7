"""Sends responses to the client, cuts connections, and sends responses byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from airflow_provider_pinterest.sandbox import answers

if TYPE_CHECKING:
    from airflow_provider_pinterest.sandbox.answers import Answer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Path = Callable[[web.Request], Awaitable["Answer"]]

_LOOK_EVERY = 0.05
"""Seconds between two checks whether the client of a stalled call is still connected."""

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class RefusedRequest(Exception):  # noqa: N818 - a response, not an error
    """Ends a call with a response."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class _Carrier(web.Response):
    """Passes an answer through aiohttp's routing."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


def handler(path: Path) -> Handler:
    """Return an aiohttp handler for a function that returns an answer or raises ``RefusedRequest``."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return _Carrier(await path(request))
        except RefusedRequest as refused:
            return _Carrier(refused.answer)

    return handle


async def answer_of(request: web.Request, handle: Handler) -> Answer:
    """Call a handler and return its answer. Errors of the routing (404, 405) become answers too."""
    try:
        response = await handle(request)
    except web.HTTPException as problem:
        allow = {"Allow": problem.headers["Allow"]} if "Allow" in problem.headers else None
        return answers.error(problem.status, headers=allow)
    if not isinstance(response, _Carrier):
        raise TypeError(f"{request.path} returned no answer")
    return response.answer


def response(answer: Answer, rid: str) -> web.Response:
    """Return the aiohttp response of an answer."""
    return web.Response(
        status=answer.status,
        body=answer.body,
        content_type=answer.content_type,
        charset="utf-8",
        headers={**answer.headers, "x-pinterest-rid": rid},
    )


def cut(request: web.Request, *, reset: bool) -> web.Response:
    """Close the connection without a response, with or without a TCP reset."""
    transport = request.transport
    if transport is not None and reset:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
    elif transport is not None:
        transport.close()
    return web.Response()  # never sent, because the connection is closing


async def stall(request: web.Request, seconds: float) -> None:
    """Wait for ``seconds``, or until the client closes the connection."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    transport = request.transport
    while loop.time() < end and transport and not transport.is_closing():  # noqa: ASYNC110 - no event says when it closes
        await asyncio.sleep(min(_LOOK_EVERY, max(0.0, end - loop.time())))


async def answer_and_close(request: web.Request, answer: Answer, rid: str, seconds: float) -> web.Response:
    """Send a keep-alive response, and close the connection ``seconds`` later.

    Data that the client sends in between is not read; the client gets a TCP reset.
    """
    sent = response(answer, rid)
    transport = request.transport
    with contextlib.suppress(ConnectionError):
        await sent.prepare(request)
        if transport is not None:
            transport.pause_reading()
        await sent.write_eof()
    if transport is not None:
        asyncio.get_running_loop().call_later(seconds, transport.close)
    return sent


async def drip(request: web.Request, answer: Answer, rid: str, seconds: float) -> web.StreamResponse:
    """Send the body of a response with a pause of ``seconds`` after each byte."""
    dripping = web.StreamResponse(status=answer.status, headers={**answer.headers, "x-pinterest-rid": rid})
    dripping.content_type = answer.content_type
    dripping.content_length = len(answer.body)
    with contextlib.suppress(ConnectionError):  # the client gave up, which is expected
        await dripping.prepare(request)
        for position in range(len(answer.body)):
            await dripping.write(answer.body[position : position + 1])
            await asyncio.sleep(seconds)
        await dripping.write_eof()
    return dripping
