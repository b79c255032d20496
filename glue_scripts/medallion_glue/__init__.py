"""What the Glue scripts share; travels as `--extra-py-files`: pyspark, boto3, standard library only."""
