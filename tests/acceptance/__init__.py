"""Tests from outside: the daemon as a child process, against the fakes, on real speech."""
