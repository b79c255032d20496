"""What the Glue scripts share; travels to Glue as `--extra-py-files`, so it imports only pyspark, boto3 and the standard library."""
