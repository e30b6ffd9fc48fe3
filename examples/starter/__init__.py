"""A small workspace to begin with: three touchpoints, one survey feed, synthetic answers."""
