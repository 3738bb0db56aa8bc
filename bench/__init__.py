"""Benchmarks: ratios in one interleaved run, never a time as a promise."""
