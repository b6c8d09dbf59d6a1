"""The policy that the benchmark's gateway runs on: every room has work to do for each request."""

from __future__ import annotations

from pathlib import Path

_POLICY = """\
[gateway]
listen = "127.0.0.1:{port}"
workers = {workers}
trusted_ca = "{ca}"
internal_destinations = ["s3://acme-*"]

[identity]
issuer = "{issuer}"

[console]
listen = "127.0.0.1:{console}"

[services.chunks]
hosts = ["localhost:{service}"]
addresses = ["127.0.0.0/8", "::1/128"]
dialect = "chunks"
credential = {{ header = "Authorization", value = "Bearer ${{CHUNKS_TOKEN}}" }}

[[dialects.chunks.routes]]
request = "GET /datasets/{{dataset}}/chunks/{{chunk}}"
kind = "read"
dataset = "path:dataset"
chunks = "path:chunk"
columns = "query:columns"

[[dialects.chunks.routes]]
request = "POST /datasets/{{dataset}}/exports"
kind = "export"
dataset = "path:dataset"
destination = "$.destination"
columns = "$.columns[*]"
chunks = "$.chunks[*]"

[[dialects.chunks.routes]]
request = "DELETE /datasets/{{dataset}}"
kind = "admin"
dataset = "path:dataset"

[datasets.customers]
service = "chunks"
columns = {{ ssn = "restricted", email = "personal" }}

[[rules]]
id = "readers"
effect = "allow"
who = ["group:engineering", "group:fraud", "group:data-stewards"]
dataset = ["customers"]
kind = ["read"]

[[rules]]
id = "internal-export"
effect = "allow"
who = ["group:engineering"]
dataset = ["customers"]
kind = ["export"]
destination = "internal"

[[rules]]
id = "external-export"
effect = "hold"
kind = ["export"]
destination = "external"
approvers = ["group:data-stewards"]
reason = "Data is leaving for a bucket that we do not own."

[[rules]]
id = "no-admin"
effect = "deny"
kind = ["admin", "script"]
reason = "Datasets are not dropped through the gate."

[[masks]]
id = "national-ids"
columns = ["restricted"]
method = "last4"
unless = ["group:fraud"]

[[masks]]
id = "contact"
columns = ["personal"]
method = "hmac"
unless = ["group:fraud"]
"""


def write(path: Path, *, port: int, console: int, service: int, ca: Path, issuer: str, workers: int = 1) -> None:
    """Write policy.toml for these ports, the service's authority and the identity provider."""
    path.write_text(_POLICY.format(port=port, console=console, service=service, ca=ca, issuer=issuer, workers=workers))
