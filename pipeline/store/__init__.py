"""Where tasks live: one module per database behind ``task_store.TaskStore``; SQLite is the one built in."""
