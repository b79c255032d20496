"""One module an AWS API."""
