"""The rules: pure functions and frozen values. No framework, no clock, no files."""
