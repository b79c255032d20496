"""Standing an environment up: what waits for what, what would change, what must be there, doing it, and code alone."""
