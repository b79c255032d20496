"""Stand up and operate a medallion data warehouse on AWS, or the whole of it on one laptop."""

__version__ = "0.1.0"
