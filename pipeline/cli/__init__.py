"""The command line: one small file for each command, with ``add_arguments(parser)`` and ``run(arguments, load)``.

`commands` is the table of them; files with an underscore are what several commands share.
"""

FINE, FAILED, USAGE, DATA_FOLDER = 0, 1, 2, 3
"""Exit codes: done; not done; wrong configuration or usage; the data folder cannot be used."""
