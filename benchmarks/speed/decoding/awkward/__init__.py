"""Awkward video files, made here: for the tests, and for counting wrong frames."""
