"""The sandbox's own endpoints, ``/sandbox`` and a page at ``/``: events, calls, faults, settings and tokens."""

from __future__ import annotations

import dataclasses
import html
from typing import TYPE_CHECKING, Any

import orjson

from airflow_provider_pinterest.sandbox.answers import Answer, json_answer
from airflow_provider_pinterest.sandbox.faults import fault
from airflow_provider_pinterest.sandbox.tokens import Token
from airflow_provider_pinterest.sandbox.wire import Path, handler

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from airflow_provider_pinterest.sandbox.local_pinterest import LocalPinterest

_EVENT_FILTERS = ("ad_account_id", "event_id", "event_name", "action_source")
_CALL_FILTERS = ("ad_account_id", "path", "method")
_DEFAULT_LIMIT = 100


def add_routes(app: web.Application, pinterest: LocalPinterest) -> None:
    """Add the sandbox's own endpoints to the application."""
    control = _Control(pinterest)
    routes: Mapping[tuple[str, str], Path] = {
        ("GET", "/"): control.index,
        ("GET", "/sandbox/health"): control.health,
        ("GET", "/sandbox/events"): control.events,
        ("DELETE", "/sandbox/events"): control.forget,
        ("GET", "/sandbox/events/copies"): control.copies,
        ("GET", "/sandbox/calls"): control.calls,
        ("GET", "/sandbox/deletion_requests"): control.deletions,
        ("POST", "/sandbox/deletion_requests/submit"): control.submit_deletions,
        ("GET", "/sandbox/faults"): control.faults,
        ("POST", "/sandbox/faults"): control.add_fault,
        ("DELETE", "/sandbox/faults"): control.clear_faults,
        ("GET", "/sandbox/settings"): control.settings,
        ("POST", "/sandbox/settings"): control.change_settings,
        ("POST", "/sandbox/tokens"): control.add_token,
        ("POST", "/sandbox/tokens/expire"): control.expire_tokens,
    }
    for (method, address), path in routes.items():
        app.router.add_route(method, address, handler(_told(path)))


def _told(path: Path) -> Path:
    """Answer an invalid request with a 400 and the reason."""

    async def told(request: web.Request) -> Answer:
        try:
            return await path(request)
        except ValueError as problem:
            return json_answer({"code": 400, "message": str(problem)}, 400)

    return told


class _Control:
    def __init__(self, pinterest: LocalPinterest) -> None:
        self._pinterest = pinterest

    async def health(self, _: web.Request) -> Answer:
        return json_answer({"status": "ok"})

    async def events(self, request: web.Request) -> Answer:
        store = self._pinterest.store
        filters = _event_filters(request)
        limit, offset = _page(request)
        rows = store.events(filters, limit=limit, offset=offset)
        return json_answer({**self._totals(), "matching": store.count(filters), "events": rows})

    async def copies(self, request: web.Request) -> Answer:
        at_least = 2 if _flag(request, "duplicates") else 1
        limit, offset = _page(request)
        rows = self._pinterest.store.copies(_event_filters(request), at_least=at_least, limit=limit, offset=offset)
        return json_answer({**self._totals(), "copies": rows})

    async def forget(self, _: web.Request) -> Answer:
        self._pinterest.store.clear()
        self._pinterest.limits.clear()
        return json_answer(self._totals())

    async def calls(self, request: web.Request) -> Answer:
        filters: dict[str, object] = {name: request.query[name] for name in _CALL_FILTERS if name in request.query}
        if "status" in request.query:
            filters["status"] = _number(request, "status", 0)
        limit, offset = _page(request)
        store = self._pinterest.store
        by_status = {str(status): count for status, count in store.calls_by_status().items()}
        rows = store.calls(filters, limit=limit, offset=offset)
        return json_answer({**self._totals(), "by_status": by_status, "calls": rows})

    async def deletions(self, _: web.Request) -> Answer:
        now = self._pinterest.clock()
        listed = self._pinterest.deletions.listed()
        return json_answer({"requests": [{**dataclasses.asdict(one), **one.shown(now)} for one in listed]})

    async def submit_deletions(self, request: web.Request) -> Answer:
        wanted = await _json_object(request)
        now = self._pinterest.clock()
        return json_answer({"submitted": self._pinterest.deletions.submit(now, wanted.get("request_id"))})

    async def faults(self, _: web.Request) -> Answer:
        return json_answer({"faults": self._pinterest.faults.listed()})

    async def add_fault(self, request: web.Request) -> Answer:
        options = await _json_object(request)
        self._pinterest.faults.add(fault(str(options.pop("kind", None)), options))
        return await self.faults(request)

    async def clear_faults(self, request: web.Request) -> Answer:
        self._pinterest.faults.clear()
        return await self.faults(request)

    async def settings(self, _: web.Request) -> Answer:
        return json_answer(self._pinterest.settings)

    async def change_settings(self, request: web.Request) -> Answer:
        self._pinterest.settings = self._pinterest.settings.changed(await _json_object(request))
        return await self.settings(request)

    async def add_token(self, request: web.Request) -> Answer:
        wanted = await _json_object(request)
        unknown = wanted.keys() - {"token", "kind", "scopes", "ad_account_ids", "expires_in"}
        if unknown or not isinstance(wanted.get("token"), str) or not wanted["token"]:
            raise ValueError("a token has the keys token (required), kind, scopes, ad_account_ids and expires_in")
        kind = wanted.get("kind", "conversion")
        if kind not in ("conversion", "oauth"):
            raise ValueError("kind must be conversion or oauth")
        accounts, expires_in = wanted.get("ad_account_ids"), wanted.get("expires_in")
        token = Token(
            wanted["token"],
            kind=kind,
            scopes=frozenset(wanted.get("scopes", ())),
            ad_account_ids=None if accounts is None else frozenset(accounts),
            expires_at=None if expires_in is None else self._pinterest.clock() + float(expires_in),
        )
        self._pinterest.tokens.add(token)
        return json_answer({"added": 1})

    async def expire_tokens(self, request: web.Request) -> Answer:
        wanted = await _json_object(request)
        return json_answer({"expired": self._pinterest.tokens.expire(self._pinterest.clock(), wanted.get("token"))})

    async def index(self, _: web.Request) -> Answer:
        counters = "".join(f"<li>{name}: {count}</li>" for name, count in self._totals().items())
        faults = html.escape(orjson.dumps(self._pinterest.faults.listed()).decode())
        page = (
            "<!doctype html><title>Local Pinterest</title><h1>Local Pinterest</h1>"
            "<p>A sandbox for the Conversions API, version 5. Nothing leaves this machine.</p>"
            f"<ul>{counters}</ul><p>Faults: <code>{faults}</code></p>"
            "<p>Send to <code>POST /v5/ad_accounts/{id}/events</code>; look at "
            '<a href="/sandbox/events">events</a>, '
            '<a href="/sandbox/events/copies?duplicates=true">duplicates</a>, '
            '<a href="/sandbox/calls">calls</a>, <a href="/sandbox/faults">faults</a>, '
            '<a href="/sandbox/settings">settings</a>.</p>'
        )
        return Answer(200, page.encode(), "text/html")

    def _totals(self) -> dict[str, Any]:
        return dataclasses.asdict(self._pinterest.store.totals())


def _event_filters(request: web.Request) -> dict[str, object]:
    filters: dict[str, object] = {name: request.query[name] for name in _EVENT_FILTERS if name in request.query}
    if request.query.get("test") != "any":
        filters["test"] = _flag(request, "test")
    return filters


def _flag(request: web.Request, name: str) -> bool:
    word = request.query.get(name, "false")
    if word not in ("true", "false"):
        raise ValueError(f"{name} must be true or false, not {word!r}")
    return word == "true"


def _page(request: web.Request) -> tuple[int, int]:
    return _number(request, "limit", _DEFAULT_LIMIT), _number(request, "offset", 0)


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{name} must be a whole number, not {text!r}")
    return int(text)


async def _json_object(request: web.Request) -> dict[str, Any]:
    body = await request.read()
    if not body:
        return {}
    wanted = orjson.loads(body)  # a JSONDecodeError is a ValueError
    if not isinstance(wanted, dict):
        raise ValueError("the body must be a JSON object")  # noqa: TRY004 - becomes a 400
    return wanted
