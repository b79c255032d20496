"""What docs/ shows of the tool, written by the tool."""
