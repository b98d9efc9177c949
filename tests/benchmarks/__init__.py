"""How fast the store is, as ratios to peers that are measured in the same run. `python -m tests.benchmarks --help`."""
