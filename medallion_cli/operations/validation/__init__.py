"""Everything about a project that can be known without AWS, one room a concern."""
