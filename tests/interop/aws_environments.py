"""The environments of AWS's servers and clients. The versions are those that docs/services.md names."""

from tests.interop.environments import Environment

MOTO = Environment("moto", ("moto[server,s3,athena,dynamodb,redshiftdata]==5.2.5",))
"""The server; its boto3 fills it before a test."""

CLIENTS = Environment("aws-clients", ("boto3==1.44.5", "awscli==1.46.3"))

S3FS = Environment("s3fs", ("s3fs==2026.9.0",))
"""s3fs pins another botocore than boto3 does."""

DYNALITE = Environment("dynalite", ("dynalite@4.0.0",), kind="npm")
