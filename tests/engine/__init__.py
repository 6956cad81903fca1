"""Tests of the half at home."""
