"""Snapshot, binlog decoding and DMS-shaped Parquet."""
