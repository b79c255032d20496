"""The processes behind the APIs: MariaDB, PostgreSQL, Spark."""
