"""Where tasks live: one module per database behind ``ports.TaskStore``; SQLite is the one built in."""
