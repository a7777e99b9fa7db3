"""Tests of parts together: real files, real sockets, real child processes."""
