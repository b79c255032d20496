"""One module a command group: parse options, call one operation, show."""
