"""The API: what people and programs can ask of the daemon over HTTP."""
