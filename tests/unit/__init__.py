"""Tests of single parts, without files, sockets or threads."""
