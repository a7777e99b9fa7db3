"""Chaos: the daemon is killed, stopped, starved and lied to, and afterwards the books must balance.

``make test`` runs a bounded selection, ``make chaos`` the whole; both end with a table of the figures measured.
``docs/reliability.md`` says what they mean.
"""
