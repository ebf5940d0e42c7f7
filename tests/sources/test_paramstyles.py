import pytest

from airflow_provider_pinterest.sources.paramstyles import unfit

VALUES = ["2026-11-21"]
NAMED = {"start": "2026-11-21"}


@pytest.mark.parametrize(
    ("style", "sql", "parameters"),
    [
        ("qmark", "a >= ?", VALUES),
        ("numeric", "a >= :1", VALUES),
        ("named", "a >= :start", NAMED),
        ("named", "a >= ?", VALUES),
        ("named", "a >= :1", VALUES),
        ("dollar", "a >= $start", NAMED),
        ("dollar", "a >= ?", VALUES),
        ("format", "a >= %s", VALUES),
        ("format", "a >= %(start)s", NAMED),
        ("pyformat", "a >= %s", VALUES),
        ("pyformat", "a >= %(start)s AND b ? 'c' AND d::int > 0", NAMED),
        ("pyformat", "a >= '%(start)s' AND payload:email <> '?' -- :x", NAMED),
        ("pyformat", "a >= ?", None),
        ("qmark", "no placeholder", VALUES),
        (None, "a >= ?", NAMED),
        ("some other", "a >= ?", NAMED),
    ],
)
def test_placeholders_that_fit(style, sql, parameters):
    assert unfit(style, sql, parameters) == ""


@pytest.mark.parametrize(
    ("style", "sql", "parameters", "usual"),
    [
        ("qmark", "a >= %(start)s", NAMED, "? for this driver, and pass parameters as a list"),
        ("qmark", "a >= ?", NAMED, "? for this driver, and pass parameters as a list"),
        ("qmark", "a >= :start", VALUES, "? for this driver, and pass parameters as a list"),
        ("qmark", "a >= $1 AND b = '?'", VALUES, "? for this driver, and pass parameters as a list"),
        ("numeric", "a >= ?", VALUES, ":1 for this driver, and pass parameters as a list"),
        ("named", "a >= %(start)s", NAMED, ":name for this driver, and pass parameters as a dict"),
        ("named", "a >= ?", NAMED, ":name for this driver, and pass parameters as a dict"),
        ("dollar", "a >= :start", NAMED, "$name for this driver, and pass parameters as a dict"),
        ("format", "a >= ?", VALUES, "%s for this driver, and pass parameters as a list"),
        ("pyformat", "a >= :start", NAMED, "%(name)s for this driver, and pass parameters as a dict"),
        ("pyformat", "a >= %s", NAMED, "%(name)s for this driver, and pass parameters as a dict"),
        ("pyformat", "a >= ?", VALUES, "%(name)s for this driver, and pass parameters as a dict"),
    ],
)
def test_placeholders_that_do_not_fit(style, sql, parameters, usual):
    assert unfit(style, sql, parameters) == f"Write placeholders as {usual}."
