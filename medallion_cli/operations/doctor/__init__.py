"""What is wrong with an environment: coded findings, each with evidence, consequence and the command that mends it."""
