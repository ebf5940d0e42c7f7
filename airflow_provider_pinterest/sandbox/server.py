"""The HTTP server. It guards and records every call, and carries out faults."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import TYPE_CHECKING

from aiohttp import web

from airflow_provider_pinterest.sandbox import answers, api, control, wire
from airflow_provider_pinterest.sandbox.guard import Guard
from airflow_provider_pinterest.sandbox.local_pinterest import VISIT, LocalPinterest, Visit

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware

    from airflow_provider_pinterest.sandbox.answers import Answer
    from airflow_provider_pinterest.sandbox.faults import FaultPlan

log = logging.getLogger("airflow_provider_pinterest.sandbox")

_LARGEST_READ = 512 * 1024 * 1024  # read before a 413; the limit of a 413 is a setting
_SHUTDOWN_SECONDS = 0.1


async def serve(
    pinterest: LocalPinterest, host: str, port: int, guard: Guard | None = None
) -> tuple[web.AppRunner, int]:
    """Start the server. Return the port, and the runner, whose ``cleanup`` stops the server.

    :param port: the port to listen on; 0 selects a free port.
    :param guard: decides which requests are answered; by default, those to loopback names and to ``host``.
    :raises OSError: the address cannot be bound.
    """
    app = web.Application(
        client_max_size=_LARGEST_READ, middlewares=[_guarding(guard or Guard(host)), _surrounding(pinterest)]
    )
    api.add_routes(app, pinterest)
    control.add_routes(app, pinterest)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS, auto_decompress=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner, int(runner.addresses[0][1])


def _guarding(guard: Guard) -> Middleware:
    @web.middleware
    async def refuse(request: web.Request, handler: wire.Handler) -> web.StreamResponse:
        """Answer 403 if the guard refuses the request. The request is not read or counted."""
        refusal = guard.refusal(request.method, request.raw_path, lambda name: request.headers.getall(name, ()))
        if refusal is None:
            return await handler(request)
        return wire.response(answers.json_answer({"code": 403, "message": refusal}, 403), "sandbox")

    return refuse


def _surrounding(pinterest: LocalPinterest) -> Middleware:
    @web.middleware
    async def surround(request: web.Request, handler: wire.Handler) -> web.StreamResponse:
        """Count and record a call, and apply faults. Calls of the sandbox's own endpoints are only answered."""
        if not request.path.startswith("/v5/"):
            return wire.response(await wire.answer_of(request, handler), "sandbox")
        visit = pinterest.arrival()
        VISIT.set(visit)
        try:
            return await _answered(pinterest, request, handler, visit)
        finally:
            pinterest.departure()

    return surround


async def _answered(
    pinterest: LocalPinterest, request: web.Request, handle: wire.Handler, visit: Visit
) -> web.StreamResponse:
    try:
        visit.size = len(await request.read())
    except (OSError, web.RequestPayloadError):
        _keep(pinterest, request, visit, None, ("client hung up",))
        return wire.cut(request, reset=False)
    except web.HTTPRequestEntityTooLarge:
        answer: Answer | None = answers.error(413)
        _keep(pinterest, request, visit, answer)
        return wire.response(answers.error(413), visit.rid)
    plan = pinterest.faults.plan(request.match_info.route.name, request.match_info.get("ad_account_id"))
    answer = await _carried_out(plan, request, handle, visit)
    _keep(pinterest, request, visit, answer, plan.names)
    if answer is None:
        if plan.ending is not None and plan.ends_with("stall"):
            await wire.stall(request, plan.ending.seconds)
        return wire.cut(request, reset=plan.ends_with("reset"))
    if plan.headers:
        answer = dataclasses.replace(answer, headers={**answer.headers, **plan.headers})
    if plan.ending is not None and plan.ends_with("drip"):
        return await wire.drip(request, answer, visit.rid, plan.ending.seconds)
    if plan.ending is not None and plan.ends_with("close"):
        return await wire.answer_and_close(request, answer, visit.rid, plan.ending.seconds)
    return wire.response(answer, visit.rid)


async def _carried_out(plan: FaultPlan, request: web.Request, handle: wire.Handler, visit: Visit) -> Answer | None:
    """Process a call with its faults. Return the response; None: the call gets no response."""
    ending = plan.ending
    answer = None
    await asyncio.sleep(plan.delay_before)
    if ending is None or ending.after_accepting:
        answer = await wire.answer_of(request, handle)
    await asyncio.sleep(plan.delay_after)
    if plan.ends_with("drop", "reset", "stall"):
        return None
    if ending is not None and not plan.ends_with("drip", "close"):
        return answers.faulty(ending, visit.verdicts)
    return answer


def _keep(
    pinterest: LocalPinterest,
    request: web.Request,
    visit: Visit,
    answer: Answer | None,
    faults: tuple[str, ...] = (),
) -> None:
    call = pinterest.record(request, visit, 0 if answer is None else answer.status, faults)
    log.debug("%s %s %d %d", call.method, call.path, call.status, call.events)
