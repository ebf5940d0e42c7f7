"""Measures that need no process of their own to be right."""

from benchmarks import measures


def test_the_ceiling_sends_the_same_full_batch_again_and_again(connect, pinterest):
    connect(pinterest)

    sample = measures.ceiling(5_000, 2)

    assert sample["events"] == sample["rows"] == 5_000
    assert [call.events for call in pinterest.calls()] == [1_000] * 5
    assert max(call.in_flight for call in pinterest.calls()) <= 2
