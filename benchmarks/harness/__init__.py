"""Shared parts of the benchmarks: machine, workers, rounds, rates."""
