"""Tests of the parity suite."""
