"""What the tests run at a workstation: calls of boto3 and s3fs, and what each of them shows."""

CALLS = """
import base64, json, sys
import boto3
from botocore.config import Config
def plain(value):
    if hasattr(value, "read"):
        return value.read().decode("utf-8", "replace")
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if k != "ResponseMetadata"}
    return [plain(v) for v in value] if isinstance(value, list) else value if isinstance(value, (int, str, bool, type(None))) else str(value)
clients, out = {}, []
for service, method, arguments in json.loads(sys.argv[1]):
    options = {} if len(sys.argv) < 3 else {"endpoint_url": sys.argv[2]}
    client = clients.setdefault(service, boto3.client(service, region_name="eu-central-1", **options))
    if "Body" in arguments:
        arguments["Body"] = arguments["Body"].encode()
    try:
        out.append(plain(getattr(client, method)(**arguments)))
    except Exception as error:
        out.append(f"{type(error).__name__}: {error}")
print(json.dumps(out))
"""

PAGES = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
import boto3
def segment(number):
    client = boto3.client("dynamodb", region_name="eu-central-1", endpoint_url=sys.argv[1] if len(sys.argv) > 1 else None)
    pages = client.get_paginator("scan").paginate(
        TableName="emp", Segment=number, TotalSegments=4, PaginationConfig={"PageSize": 5},
        ProjectionExpression="id, #s", ExpressionAttributeNames={"#s": "ssn"},
    )
    return [[item["id"]["S"], item["ssn"].get("S")] for page in pages for item in page["Items"]]
with ThreadPoolExecutor(4) as pool:
    print(json.dumps(sorted(row for rows in pool.map(segment, range(4)) for row in rows)))
"""

FILES = """
import json, os, sys
import boto3
from boto3.s3.transfer import TransferConfig
s3 = boto3.client("s3", region_name="eu-central-1")
out = []
def attempt(name, call):
    try:
        out.append(call())
    except Exception as error:
        out.append(f"{type(error).__name__}: {error}")
def download(key):
    s3.download_file("hr-data", key, "got")
    return open("got").read()
def upload(bucket):
    open("big", "wb").write(b"x" * (6 << 20))
    s3.upload_file("big", bucket, "open/big.bin", Config=TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20))
    return s3.head_object(Bucket=bucket, Key="open/big.bin")["ContentLength"]
attempt("download", lambda: download("emp/p-0.jsonl"))
attempt("upload", lambda: upload("hr-data"))
attempt("elsewhere", lambda: upload("evil-bucket"))
print(json.dumps(out))
"""

S3FS_CALLS = """
import json, s3fs
files = s3fs.S3FileSystem(client_kwargs={"region_name": "eu-central-1"})
out = []
def attempt(call):
    try:
        out.append(call())
    except Exception as error:
        out.append(f"{type(error).__name__}: {error}")
attempt(lambda: sorted(files.ls("hr-data/emp")))
attempt(lambda: files.cat_file("hr-data/emp/p-0.jsonl").decode())
attempt(lambda: files.cat_file("hr-data/open/notes.txt", start=0, end=4).decode())
attempt(lambda: files.pipe_file("hr-data/open/from-s3fs.txt", b"hello") and files.cat_file("hr-data/open/from-s3fs.txt").decode())
attempt(lambda: files.pipe_file("evil-bucket/x", b"hello"))
print(json.dumps(out))
"""
