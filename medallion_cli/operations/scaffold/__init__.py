"""Projects and their parts made from nothing, from the shipped example, or from a database that is there."""
