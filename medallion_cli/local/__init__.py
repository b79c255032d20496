"""The embedded AWS: real engines behind the AWS APIs, on loopback."""
