"""What each command does: plan into dataclasses, execute as a stream of events."""
