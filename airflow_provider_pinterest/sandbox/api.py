"""Pinterest's endpoints under ``/v5``: their checks, in order, and their responses."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

import orjson

from airflow_provider_pinterest.sandbox import answers, deletion_requests, judge
from airflow_provider_pinterest.sandbox.answers import Answer
from airflow_provider_pinterest.sandbox.deletion_requests import DEFAULT_PAGE, MAX_PAGE
from airflow_provider_pinterest.sandbox.judge import Judgement
from airflow_provider_pinterest.sandbox.local_pinterest import VISIT, LocalPinterest, Visit
from airflow_provider_pinterest.sandbox.tokens import (
    ACCESS_SECONDS,
    APP_ID,
    APP_SECRET,
    READ,
    REFRESH_SECONDS,
    WRITE,
    Token,
)
from airflow_provider_pinterest.sandbox.wire import RefusedRequest, handler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

    from airflow_provider_pinterest.sandbox.deletion_requests import ReceivedDeletion

_is_account_id = re.compile(r"[0-9]{1,18}").fullmatch
_BASIC = "Basic " + base64.b64encode(f"{APP_ID}:{APP_SECRET}".encode()).decode()


def add_routes(app: web.Application, pinterest: LocalPinterest) -> None:
    """Add Pinterest's endpoints to the application. Faults refer to them by name."""
    api = _Api(pinterest)
    account = "/v5/ad_accounts/{ad_account_id}"
    app.router.add_post(f"{account}/events", handler(api.events), name="events")
    app.router.add_get(account, handler(api.account), name="account", allow_head=False)
    deletions = f"{account}/conversion_deletion_requests"
    one = f"{deletions}/{{request_id}}"
    app.router.add_post(deletions, handler(api.create_deletion), name="deletion_create")
    app.router.add_get(deletions, handler(api.list_deletions), name="deletion_list", allow_head=False)
    app.router.add_get(one, handler(api.get_deletion), name="deletion_get", allow_head=False)
    app.router.add_delete(one, handler(api.cancel_deletion), name="deletion_cancel")
    app.router.add_post("/v5/oauth/token", handler(api.token), name="token")
    app.router.add_post("/v5/oauth/conversion_token", handler(api.conversion_token), name="conversion_token")


class _Api:
    def __init__(self, pinterest: LocalPinterest) -> None:
        self._pinterest = pinterest

    async def events(self, request: web.Request) -> Answer:
        pinterest, visit = self._pinterest, VISIT.get()
        if visit.size > pinterest.settings.max_body_bytes:
            raise RefusedRequest(answers.error(413))
        token, account = self._bearer(request), _account_id(request)
        if not token.may_send_events():
            raise RefusedRequest(answers.scope_missing())
        if not pinterest.exists(account):
            raise RefusedRequest(answers.no_account())
        if not token.may_use(account):
            raise RefusedRequest(answers.error(403))
        visit.test = _is_test(request)
        if wait := pinterest.wait(account, test=visit.test):
            raise RefusedRequest(answers.rate_limited(wait, pinterest.settings.retry_header, pinterest.clock()))
        closed = pinterest.settings.unknown_fields == "refuse"
        return self._judged(await _event_list(request, visit, closed=closed), visit, account)

    def _judged(self, events: list[dict[str, Any]], visit: Visit, account: str) -> Answer:
        pinterest = self._pinterest
        if poisons := pinterest.faults.poisons:
            for event in events:
                if (message := poisons.get(event.get("event_id", ""))) is not None:
                    raise RefusedRequest(answers.error(400, message))
        verdicts = judge.verdicts(events, pinterest.clock())
        if failing := pinterest.faults.failing:
            verdicts = [
                Judgement(failing.get(event.get("event_id", ""), verdict.error), verdict.warning)
                for event, verdict in zip(events, verdicts, strict=True)
            ]
        accepted = [event for event, verdict in zip(events, verdicts, strict=True) if not verdict.error]
        pinterest.store.accept(
            accepted,
            call=visit.number,
            ad_account_id=account,
            test=visit.test,
            received_at=visit.received_at,
            keep_json=pinterest.settings.keep_json,
        )
        visit.verdicts, visit.accepted = verdicts, len(accepted)
        return answers.outcome(verdicts, pinterest.settings.partial_failure)

    async def account(self, request: web.Request) -> Answer:
        token, account = self._bearer(request), _account_id(request)
        if not token.may_read_accounts():
            raise RefusedRequest(answers.scope_missing())
        if not self._pinterest.exists(account):
            raise RefusedRequest(answers.no_account())
        if not token.may_use(account):
            raise RefusedRequest(answers.error(403))
        return answers.json_answer(
            {
                "id": account,
                "name": f"Sandbox account {account}",
                "owner": {"id": "1", "username": "sandbox"},
                "country": "US",
                "currency": "USD",
                "permissions": ["OWNER"],
                "created_time": 1_700_000_000,
                "updated_time": 1_700_000_000,
            }
        )

    async def create_deletion(self, request: web.Request) -> Answer:
        account = self._admitted(request, WRITE)
        settings = self._pinterest.settings
        body = await _json_body(request)
        closed = settings.unknown_fields == "refuse"
        if problem := deletion_requests.problem_of(body, closed=closed, largest=settings.max_deletion_targets):
            raise RefusedRequest(answers.error(400, problem))
        now = self._pinterest.clock()
        made = self._pinterest.deletions.create(
            account, body["deletion_targets"], now, settings.deletion_pending_seconds
        )
        return answers.json_answer(made.shown(now), 201)

    async def list_deletions(self, request: web.Request) -> Answer:
        account = self._admitted(request, READ)
        size, order = request.query.get("page_size", str(DEFAULT_PAGE)), request.query.get("order", "DESCENDING")
        if not (size.isascii() and size.isdigit() and 1 <= int(size) <= MAX_PAGE):
            raise RefusedRequest(answers.error(400, f"page_size must be 1 to {MAX_PAGE}"))
        if order not in ("ASCENDING", "DESCENDING"):
            raise RefusedRequest(answers.error(400, f"{order!r} is not one of ['ASCENDING', 'DESCENDING']"))
        try:
            page, bookmark = self._pinterest.deletions.page(
                account, size=int(size), bookmark=request.query.get("bookmark"), ascending=order == "ASCENDING"
            )
        except ValueError as problem:
            raise RefusedRequest(answers.error(400, "The bookmark is not valid")) from problem
        now = self._pinterest.clock()
        return answers.json_answer({"items": [one.shown(now) for one in page], "bookmark": bookmark})

    async def get_deletion(self, request: web.Request) -> Answer:
        found = self._deletion(request, self._admitted(request, READ))
        return answers.json_answer(found.shown(self._pinterest.clock()))

    async def cancel_deletion(self, request: web.Request) -> Answer:
        found = self._deletion(request, self._admitted(request, WRITE))
        status = found.status(self._pinterest.clock())
        if status != "PENDING":
            raise RefusedRequest(answers.error(400, f"The request is {status} and can no longer be cancelled"))
        self._pinterest.deletions.cancel(found)
        return Answer(204, b"")

    def _deletion(self, request: web.Request, account: str) -> ReceivedDeletion:
        request_id = request.match_info["request_id"]
        if not _is_account_id(request_id):
            raise RefusedRequest(answers.error(400, f"{request_id!r} is not a valid request id"))
        found = self._pinterest.deletions.find(account, request_id)
        if found is None:
            raise RefusedRequest(answers.error(404))
        return found

    def _admitted(self, request: web.Request, scope: str) -> str:
        """Return the account of a call that only an OAuth token with a scope may make."""
        pinterest = self._pinterest
        if VISIT.get().size > pinterest.settings.max_body_bytes:
            raise RefusedRequest(answers.error(413))
        token, account = self._bearer(request), _account_id(request)
        if scope not in token.scopes:
            raise RefusedRequest(answers.scope_missing())
        if not pinterest.exists(account):
            raise RefusedRequest(answers.no_account())
        if not token.may_use(account):
            raise RefusedRequest(answers.error(403))
        if wait := pinterest.wait(account, test=False):
            raise RefusedRequest(answers.rate_limited(wait, pinterest.settings.retry_header, pinterest.clock()))
        return account

    async def token(self, request: web.Request) -> Answer:
        if request.headers.get("Authorization") != _BASIC:
            raise RefusedRequest(answers.error(401))
        form = await request.post()
        wanted = {"client_credentials": "scope", "refresh_token": "refresh_token"}  # nosec B105
        grant = str(form.get("grant_type"))
        if grant not in wanted:
            raise RefusedRequest(
                answers.error(400, "The sandbox supports only the grant types refresh_token and client_credentials")
            )
        if wanted[grant] not in form:
            raise RefusedRequest(answers.error(400, f"{wanted[grant]!r} is a required property"))
        scopes = re.findall(r"[^,\s]+", str(form.get("scope", f"{READ},{WRITE}")))
        if grant == "client_credentials":
            return answers.json_answer(self._granted(grant, scopes))
        tokens = self._pinterest.tokens
        if form["refresh_token"] != tokens.refresh_token():
            raise RefusedRequest(answers.error(401))
        if self._pinterest.settings.rotate_refresh_token:
            tokens.rotate_refresh_token()
        refresh = {
            "refresh_token": tokens.refresh_token(),
            "refresh_token_expires_in": REFRESH_SECONDS,
            "refresh_token_expires_at": int(self._pinterest.clock()) + REFRESH_SECONDS,
        }
        return answers.json_answer({**self._granted(grant, scopes), **refresh})

    def _granted(self, grant: str, scopes: Sequence[str]) -> dict[str, object]:
        token = self._pinterest.tokens.mint_oauth(scopes, self._pinterest.clock())
        return {
            "response_type": grant,
            "access_token": token.value,
            "token_type": "bearer",  # nosec B105
            "expires_in": ACCESS_SECONDS,
            "scope": " ".join(sorted(token.scopes)),
        }

    async def conversion_token(self, request: web.Request) -> Answer:
        token = self._bearer(request)
        if not token.may_mint_conversion_tokens():
            raise RefusedRequest(answers.scope_missing())
        minted = self._pinterest.tokens.mint_conversion(token)
        return answers.json_answer({"access_token": minted.value, "token_type": minted.kind})

    def _bearer(self, request: web.Request) -> Token:
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        token = self._pinterest.tokens.find(value, self._pinterest.clock())
        if token is None or scheme.lower() != "bearer":
            raise RefusedRequest(answers.error(401))
        return token


def _account_id(request: web.Request) -> str:
    account = request.match_info["ad_account_id"]
    if not _is_account_id(account):
        raise RefusedRequest(answers.error(400, f"{account!r} is not a valid ad account id"))
    return account


def _is_test(request: web.Request) -> bool:
    word = request.query.get("test", "false")
    if word not in ("true", "false"):
        raise RefusedRequest(answers.error(400, f"{word!r} is not of type 'boolean'"))
    return word == "true"


async def _event_list(request: web.Request, visit: Visit, *, closed: bool) -> list[dict[str, Any]]:
    """Return the events of a request whose structure is valid."""
    body = await _json_body(request)
    if isinstance(body, dict) and isinstance(body.get("data"), list):
        visit.events = len(body["data"])
    if refusal := judge.refusal(body, closed=closed):
        raise RefusedRequest(answers.error(400, refusal))
    events: list[dict[str, Any]] = body["data"]
    return events


async def _json_body(request: web.Request) -> Any:
    if request.content_type != "application/json" or "Content-Encoding" in request.headers:
        raise RefusedRequest(answers.error(400, "The body must be application/json without a Content-Encoding"))
    try:
        return orjson.loads(await request.read())
    except orjson.JSONDecodeError as problem:
        raise RefusedRequest(answers.error(400, f"The body is not JSON: {problem}")) from problem
