"""A worker of the example has the name that its environment gives it."""

from scale.hostname import hostname


def test_the_workers_name_comes_from_its_environment(monkeypatch):
    monkeypatch.setenv("SCALE_WORKER", "one")

    assert hostname() == "one"
