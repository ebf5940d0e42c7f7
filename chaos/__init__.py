"""Kills the sender at random times, injects faults, and checks that no row is lost or silently sent twice."""
