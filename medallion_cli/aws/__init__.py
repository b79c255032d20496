"""The only boto3 and driver imports: one small module a service."""
