"""Verification: whether every layer holds what the one before it holds, and where the first difference is."""
