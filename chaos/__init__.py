"""Kill the sender at random, let everything go wrong, and count: nothing lost, nothing silently sent twice."""
