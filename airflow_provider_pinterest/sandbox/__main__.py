"""The command ``python -m airflow_provider_pinterest.sandbox``: run the server until it is stopped."""

from __future__ import annotations

import argparse
import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from airflow_provider_pinterest.sandbox.guard import Guard, is_loopback
from airflow_provider_pinterest.sandbox.settings import PartialFailure, RetryHeader, SandboxSettings, UnknownFields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_pinterest.sandbox.tokens import Token

_DEFAULTS = SandboxSettings()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(arguments)
    from airflow_provider_pinterest import sandbox

    try:
        _ = sandbox.Sandbox  # needs the packages of the extra
    except ModuleNotFoundError as missing:
        print(missing, file=sys.stderr)
        return 2
    gc.set_threshold(100_000, 20, 100)  # a call creates 25,000 short-lived objects: search for cycles less often
    return _serve(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_pinterest.sandbox",
        description="A local Pinterest for the Conversions API. Nothing it receives leaves this machine.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="the address to listen on")
    add("--allow-host", action="append", default=[], metavar="NAME",
        help="another host name that clients may use, such as a container's; can be repeated")  # fmt: skip
    add("--port", type=int, default=8765, help="the port to listen on; 0 selects a free port")
    add("--port-file", type=Path, metavar="FILE", help="write the port to this file when ready")
    add("--db", type=Path, metavar="FILE", help="store events and calls in this SQLite file instead of memory")
    add("--token", action="append", default=[], metavar="TOKEN[=ACCOUNT,…]",
        help="another conversion token, optionally for these accounts only; can be repeated")  # fmt: skip
    add(
        "--ad-account",
        action="append",
        metavar="ID",
        help="an account that exists; can be repeated; by default, all accounts exist",
    )
    add("--partial-failure", choices=get_args(PartialFailure), default=_DEFAULTS.partial_failure,
        help="the form of the response when some events failed")  # fmt: skip
    add("--retry-header", choices=get_args(RetryHeader), default=_DEFAULTS.retry_header,
        help="the header of a 429 response that says when to retry")  # fmt: skip
    add("--unknown-fields", choices=get_args(UnknownFields), default=_DEFAULTS.unknown_fields,
        help="whether a request with an undocumented field is refused")  # fmt: skip
    add("--calls-per-window", type=int, default=_DEFAULTS.calls_per_window, metavar="N",
        help="calls per account and window; 0 means no limit")  # fmt: skip
    add(
        "--window-seconds",
        type=float,
        default=_DEFAULTS.window_seconds,
        metavar="S",
        help="the length of the window",
    )
    add("--test-calls-per-window", type=int, default=_DEFAULTS.test_calls_per_window, metavar="N",
        help="test calls per window; 0 means no limit")  # fmt: skip
    add("--test-window-seconds", type=float, default=_DEFAULTS.test_window_seconds, metavar="S",
        help="the length of the window of test calls")  # fmt: skip
    add(
        "--max-body-bytes",
        type=int,
        default=_DEFAULTS.max_body_bytes,
        metavar="N",
        help="larger request bodies get a 413 response",
    )
    add("--max-deletion-targets", type=int, default=_DEFAULTS.max_deletion_targets, metavar="N",
        help="addresses or click ids in a deletion request; 0 means no limit")  # fmt: skip
    add("--deletion-pending-seconds", type=float, default=_DEFAULTS.deletion_pending_seconds, metavar="S",
        help="how long a deletion request is pending")  # fmt: skip
    add("--rotate-refresh-token", action="store_true", help="replace the refresh token at each refresh")
    add("--no-json", action="store_true", help="count events without storing their JSON")
    add("--verbose", action="store_true", help="log method, path, status and number of events of each call")
    return parser


def _serve(options: argparse.Namespace) -> int:
    import asyncio
    import logging

    if not is_loopback(options.host):
        print(
            f"Warning: other machines can connect to {options.host}, and the tokens are public.",
            file=sys.stderr,
        )
    if options.verbose:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
        logging.getLogger("airflow_provider_pinterest.sandbox").setLevel(logging.DEBUG)
    try:
        settings = SandboxSettings().changed(
            {
                "partial_failure": options.partial_failure,
                "retry_header": options.retry_header,
                "calls_per_window": options.calls_per_window,
                "window_seconds": options.window_seconds,
                "test_calls_per_window": options.test_calls_per_window,
                "test_window_seconds": options.test_window_seconds,
                "max_body_bytes": options.max_body_bytes,
                "ad_account_ids": options.ad_account,
                "max_deletion_targets": options.max_deletion_targets,
                "deletion_pending_seconds": options.deletion_pending_seconds,
                "rotate_refresh_token": options.rotate_refresh_token,
                "keep_json": not options.no_json,
                "unknown_fields": options.unknown_fields,
            }
        )
        asyncio.run(_until_told(settings, options))
    except (OSError, ValueError) as problem:
        print(f"The local Pinterest cannot start: {problem}", file=sys.stderr)
        return 1
    return 0


async def _until_told(settings: SandboxSettings, options: argparse.Namespace) -> None:
    import asyncio
    import signal

    from airflow_provider_pinterest.sandbox.local_pinterest import LocalPinterest
    from airflow_provider_pinterest.sandbox.printed import base_url, example_connection, greeting, usable_account
    from airflow_provider_pinterest.sandbox.server import serve
    from airflow_provider_pinterest.sandbox.tokens import CONVERSION_TOKEN, Token

    guard = Guard(options.host, options.allow_host)
    known = [_token(text) for text in options.token]
    shown = known[0] if known else Token(CONVERSION_TOKEN)
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    pinterest = LocalPinterest(settings, db=options.db)
    try:
        for token in known:
            pinterest.tokens.add(token)
        runner, port = await serve(pinterest, options.host, options.port, guard)
        try:
            if options.port_file is not None:
                _write_whole(options.port_file, str(port))
            url = base_url(options.host, port)
            account = usable_account(shown, settings.ad_account_ids)
            print(greeting(url, example_connection(url, shown.value, account)), flush=True)
            await told.wait()
        finally:
            await runner.cleanup()
    finally:
        pinterest.store.close()


def _token(text: str) -> Token:
    from airflow_provider_pinterest.sandbox.tokens import Token

    value, restricted, listed = text.partition("=")
    accounts = frozenset(listed.split(",")) if restricted else None
    if not value or not all(account.isascii() and account.isdigit() for account in accounts or ()):
        raise ValueError("--token must be TOKEN or TOKEN=ACCOUNT,ACCOUNT; accounts contain only digits")
    return Token(value, ad_account_ids=accounts)


def _write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader never sees a part of it."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.replace(path)


if __name__ == "__main__":
    sys.exit(main())
