import pytest


@pytest.fixture
def oauth(pinterest, connect):
    """Let the connection hold an OAuth token with all it takes to refresh it."""

    def set_up(**extra):
        connect(
            pinterest,
            password=pinterest.oauth_token,
            extra={
                "app_id": pinterest.app_id,
                "app_secret": pinterest.app_secret,
                "refresh_token": pinterest.refresh_token,
                **extra,
            },
        )

    set_up()
    return set_up
