"""The calls, by subject; every module here is loaded."""
