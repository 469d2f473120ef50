"""IAM and STS over the query protocol, from botocore's own models: one small function per operation."""
