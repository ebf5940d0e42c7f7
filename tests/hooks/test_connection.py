"""What an Airflow connection may hold, and what is refused before a byte is sent."""

import pytest

from airflow_provider_pinterest.exceptions import ParameterError
from airflow_provider_pinterest.get_provider_info import get_provider_info
from airflow_provider_pinterest.hooks.pinterest import PinterestHook
from airflow_provider_pinterest.sandbox import Sandbox
from harness.scripted_server import serving
from tests.running import deliver, ids, impersonal, refusal, rows

TOKEN = "pina_secret"


def client(**wanted):
    hook = PinterestHook()
    hook.check(**wanted)
    found = hook.get_conn()
    found.close()
    return found


def refused(**wanted):
    """Return what a client that cannot be made says."""
    with pytest.raises(ParameterError) as caught:
        client(**wanted)
    assert impersonal(str(caught.value))
    return str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_events_reach_a_server_on_this_machine_over_http(connect, host):
    with Sandbox(host=host) as pinterest:
        connect(pinterest)
        assert deliver(events=rows(2)).error is None
        assert pinterest.copies() == ids(2)


def test_localhost_is_this_machine(pinterest, connect):
    connect(pinterest, host=pinterest.url.replace("127.0.0.1", "localhost"))

    assert deliver(events=rows(1)).error is None
    assert pinterest.copies() == ids(1)


@pytest.mark.parametrize("tail", ["/", "//", " "])
def test_a_slash_or_space_at_the_end_of_the_host_does_no_harm(pinterest, connect, tail):
    connect(pinterest, host=pinterest.url + tail)

    assert deliver(events=rows(1)).error is None
    assert pinterest.copies() == ids(1)


@pytest.mark.parametrize(
    ("message", "host"),
    [
        *(
            ("connection's host", host)
            for host in (
                # http to another machine
                *(
                    "http://api.pinterest.com/v5",
                    "http://0.0.0.0/v5",
                    "http://169.254.169.254/v5",
                    "http://10.0.0.1/v5",
                ),
                *("http://127.0.0.1.example.net/v5", "http://localhost.example.net/v5", "http://2130706433/v5"),
                *(
                    "http://127.0.0.1\\@example.net/v5",
                    "http://127.0.0.1@example.net/v5",
                    "HTTP://api.pinterest.com/v5",
                ),
                # cannot be read
                *("https://[::1", "http://[127.0.0.1]/v5", "https://api.pinterest.com:port/v5"),
            )
        ),
        *(
            ("Use a URL such as https://api.pinterest.com/v5", host)
            for host in (
                *("api.pinterest.com/v5", "api.pinterest.com", "//api.pinterest.com/v5", "ftp://api.pinterest.com/v5"),
                *("file:///etc/passwd", "https://", "https:///v5"),
            )
        ),
        *(
            ("without user or query", f"https://{user}api.pinterest.com/v5{tail}")
            for user, tail in (
                *((user, "") for user in ("pina_user@", "user:pina_word@", ":pina_word@", "@")),
                *(("", tail) for tail in ("?token=pina_x", "?", "#part", "#", "?#")),
            )
        ),
    ],
)
def test_a_host_that_cannot_be_used_is_refused_without_showing_its_secrets(connect, message, host):
    connect(host=host, password=TOKEN, extra={"ad_account_id": "1"})

    assert message in refused()


def test_without_a_host_the_client_is_pinterest_s_own(connect):
    connect(password=TOKEN, extra={"ad_account_id": "1"})

    found = client()

    assert (found._route.host, found._route.port) == ("api.pinterest.com", 443)
    assert found._route.tls is not None
    assert found._route.path == "/v5"
    assert PinterestHook().api_connection().url() == "https://api.pinterest.com/v5"


@pytest.mark.parametrize(
    "account",
    [
        "abc",
        "12a",
        "../1",
        "1/../2",
        "1?test=true",
        "1#",
        "1234567890123456789",
        "-1",
        "1.0",
        "١٢٣",
        "1 2",
        "None",
        "%31",
    ],
)
def test_an_account_that_is_not_one_to_eighteen_digits_is_refused_and_nothing_is_sent(pinterest, account):
    assert "1 to 18 digits" in refusal(pinterest, events=rows(1), ad_account_id=account)


@pytest.mark.parametrize("account", ["abc", "../1", "1234567890123456789", "0", "000"])
def test_the_connection_s_own_account_obeys_the_same_rule(connect, account):
    connect(password=TOKEN, extra={"ad_account_id": account})

    assert "1 to 18 digits" in refused()


def test_zeros_before_an_account_are_left_out(connect):
    connect(password=TOKEN, extra={"ad_account_id": "000042"})

    assert PinterestHook().ad_account_id() == "42"


@pytest.mark.parametrize("account", ["1", "123456789012345678", " 42 ", 42])
def test_one_to_eighteen_digits_are_an_account_as_text_or_number(connect, account):
    connect(password=TOKEN, extra={"ad_account_id": account})

    assert PinterestHook().ad_account_id() == str(account).strip()


def test_the_task_s_account_goes_before_the_connection_s(pinterest, connect):
    connect(pinterest, extra={"ad_account_id": "111"})

    deliver(events=rows(1), ad_account_id="222")
    deliver(events=rows(1))

    assert [event.ad_account_id for event in pinterest.events()] == ["222", "111"]


def test_an_account_that_a_template_rendered_to_nothing_is_refused(pinterest):
    """The connection's own would receive another shop's events."""
    assert refusal(pinterest, events=rows(1), ad_account_id="")


def test_no_account_anywhere_says_where_to_put_one(connect):
    connect(password=TOKEN)

    said = refused()
    assert "ad_account_id" in said
    assert "pinterest_default" in said


@pytest.mark.parametrize("password", [None, "", "   "])
def test_a_missing_token_says_where_to_get_and_put_one(connect, password):
    connect(password=password, extra={"ad_account_id": "1"})

    said = refused()
    assert "no access token" in said
    assert "Ads Manager" in said


@pytest.mark.parametrize("token", ["pina_a b", "pina_a\nX-Evil: 1", "pina_ä", "pina_a\tb"])
def test_a_token_with_characters_that_no_token_has_is_refused_without_showing_it(connect, token):
    connect(password=token, extra={"ad_account_id": "1"})

    assert "Paste it again" in refused()


def test_a_line_break_pasted_after_the_token_does_no_harm(pinterest, connect):
    connect(pinterest, password=f" {pinterest.token}\n")

    assert deliver(events=rows(1)).error is None
    assert pinterest.copies() == ids(1)


@pytest.mark.parametrize("value", [0, -1, "many", 1.5, "1e3", [], True])
def test_calls_per_minute_must_be_a_whole_number(connect, value):
    connect(password=TOKEN, extra={"ad_account_id": "1", "calls_per_minute": value})

    with pytest.raises(ParameterError, match="calls_per_minute"):
        PinterestHook().check()


@pytest.mark.parametrize("value", ["5000", 1, "", None])
def test_calls_per_minute_may_be_text_or_left_out(pinterest, connect, value):
    connect(pinterest, extra={"calls_per_minute": value})

    assert deliver(events=rows(1)).error is None
    assert pinterest.copies() == ids(1)


@pytest.mark.parametrize("uri", ["nowhere://", "redys://127.0.0.1", "memory", "/tmp/calls"])  # noqa: S108
def test_a_rate_limit_storage_that_does_not_exist_is_refused(pinterest, connect, uri):
    connect(pinterest, extra={"rate_limit_storage": uri})

    assert "rate_limit_storage" in refusal(pinterest, events=rows(1))


def test_extras_that_are_not_ours_change_nothing_of_the_request(connect):
    """Who may edit a connection must not gain a say over headers, certificates or proxies."""
    with serving() as listener:
        connect(
            host=listener.url,
            password=TOKEN,
            extra={
                "ad_account_id": "1",
                "X-Injected": "1",
                "headers": {"X-Injected": "1"},
                "verify": False,
                "proxies": {"http": "http://127.0.0.1:9"},
                "timeout": 0,
                "test": True,
            },
        )
        assert deliver(events=rows(1)).error is None

    [request] = listener.requests
    assert {name.lower() for name in request.headers} == {
        "accept",
        "accept-encoding",
        "authorization",
        "content-length",
        "content-type",
        "host",
        "user-agent",
    }
    assert request.path == "/v5/ad_accounts/1/events"


def test_the_other_fields_of_the_connection_play_no_part(pinterest, connect):
    connect(pinterest, login="someone", port=9, schema="ftp")

    assert deliver(events=rows(1)).error is None
    assert pinterest.copies() == ids(1)


def test_the_hook_reads_exactly_the_extras_that_the_connection_form_offers():
    [declared] = get_provider_info()["connection-types"]

    assert set(PinterestHook.EXTRAS) == set(declared["conn-fields"])


def test_the_form_of_airflow_before_3_2_names_the_token():
    behaviour = PinterestHook.get_ui_field_behaviour()

    assert behaviour["relabeling"]["password"] == "Access token"
    assert set(behaviour["hidden_fields"]) == {"login", "port", "schema"}


def test_neither_hook_nor_client_nor_credential_shows_the_token_in_its_repr(pinterest):
    hook = PinterestHook()
    found = hook.get_conn()

    for thing in (hook, found, found.credential, vars(found.credential), vars(hook), vars(found)):
        shown = repr(thing) if not isinstance(thing, dict) else repr({k: repr(v) for k, v in thing.items()})
        assert pinterest.token not in shown.replace("pinterest_default", "") or "connection" in shown
    found.close()


class TestUnknownExtras:
    @pytest.mark.parametrize(
        ("name", "meant"),
        [
            ("ad_acount_id", "ad_account_id"),
            ("adAccountId", "ad_account_id"),
            ("AD-ACCOUNT-ID", "ad_account_id"),
            ("extra__pinterest__ad_account_id", "ad_account_id"),
            ("calls_per_minut", "calls_per_minute"),
            ("call_per_minutes", "calls_per_minute"),
            ("refreshtoken", "refresh_token"),
            ("app_secrets", "app_secret"),
            ("appid", "app_id"),
            ("ratelimit_storage", "rate_limit_storage"),
        ],
    )
    def test_one_is_named_in_the_log_with_the_one_that_is_meant(self, pinterest, connect, name, meant):
        connect(pinterest, extra={name: "1"})

        ran = deliver(events=rows(1))

        assert ran.error is None
        assert f"unknown extra, {name!r}. It is ignored. Did you mean {meant!r}?" in ran.log
        assert pinterest.copies() == ids(1)

    def test_one_that_is_like_none_is_named_with_all_that_there_are(self, pinterest, connect):
        connect(pinterest, extra={"verify": False})

        ran = deliver(events=rows(1))

        assert "unknown extra, 'verify'. It is ignored. Known extras: ad_account_id, app_id" in ran.log

    def test_the_error_of_what_is_missing_names_it(self, pinterest, connect):
        connect(pinterest, extra={"ad_account_id": None, "ad_acount_id": "42"})

        ran = deliver(events=rows(1))

        assert isinstance(ran.error, ParameterError)
        assert "No ad account" in ran.said
        assert "Did you mean 'ad_account_id'?" in ran.said

    def test_testing_the_connection_names_it(self, pinterest, connect):
        connect(pinterest, extra={"calls_per_minut": 5})

        takes, message = PinterestHook().test_connection()

        assert takes
        assert "Did you mean 'calls_per_minute'?" in message

    def test_known_extras_are_not_mentioned(self, pinterest):
        assert "extra" not in deliver(events=rows(1)).log
