"""A small strict CloudFormation engine."""
