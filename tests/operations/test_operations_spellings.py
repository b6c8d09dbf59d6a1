"""Every spelling of one place has one normal form, and no spelling of a foreign place is ever ours."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sluicegate.operations.destination import UNREADABLE, Ours, judge, judge_all, place

KEY = st.lists(st.text(alphabet="abcXYZ019-_.=+ü ", min_size=1, max_size=8).filter(lambda s: s.strip(".") == s), max_size=3)  # fmt: skip
NAME = st.from_regex(r"[a-z0-9][a-z0-9-]{1,20}[a-z0-9](\.[a-z0-9][a-z0-9-]{0,9}[a-z0-9])?", fullmatch=True)
REGION = st.sampled_from(["eu-central-1", "us-east-1", "us-west-2", "ap-southeast-5", "me-south-1"])
RESERVED = ("-s3alias", "--ol-s3", "--table-s3")


def escaped(text, every):
    """`text` with its non-ASCII escaped, and every `every`-th other letter too."""
    if not every:
        return "".join(c if c.isascii() and c != " " else "".join(f"%{b:02X}" for b in c.encode()) for c in text)
    return "".join(f"%{b:02x}" for b in text.encode())


@st.composite
def s3_spellings(draw, names=NAME):
    name, key, region = draw(names), draw(KEY), draw(REGION)
    assume(not name.endswith(RESERVED))
    path = "".join("/" + escaped(part, draw(st.booleans())) for part in key)
    raw = "".join("/" + part for part in key)
    https = draw(st.sampled_from(["https://", "HTTPS://", "http://"]))
    port = {"h": ":443", "H": ":443"}[https[0]] if https.lower() == "https://" else ":80"
    port = draw(st.sampled_from(["", port]))
    dot = draw(st.sampled_from(["", "."]))
    signed = draw(st.sampled_from(["", "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=deadbeef&X-Amz-Credential=AKIA",
                                   "?AWSAccessKeyId=AKIA&Signature=abc%3D&Expires=1", "?versionId=1"]))  # fmt: skip
    endpoint = draw(st.sampled_from([
        "s3.amazonaws.com", f"s3.{region}.amazonaws.com", f"s3-{region}.amazonaws.com", f"s3.dualstack.{region}.amazonaws.com",
        f"s3-fips.{region}.amazonaws.com", f"s3-fips.dualstack.{region}.amazonaws.com", "s3-accelerate.amazonaws.com",
        "s3-accelerate.dualstack.amazonaws.com", "s3-external-1.amazonaws.com", f"s3-website-{region}.amazonaws.com",
        f"s3-website.{region}.amazonaws.com", f"bucket.vpce-0a1b2c-d3e4.s3.{region}.vpce.amazonaws.com",
    ]))  # fmt: skip
    upper = draw(st.sampled_from([str, str.upper, str.title]))
    spelling = draw(st.sampled_from([
        f"s3://{name}{path}", f"S3A://{name}{path}", f"s3n://{upper(name)}{dot}{path}", f"s3://{escaped(name, True)}{path}",
        f"{https}{upper(name + '.' + endpoint)}{dot}{port}{path}{signed}", f"{https}{upper(endpoint)}{dot}{port}/{name}{path}{signed}",
        f"{https}{endpoint}/{escaped(name, True)}{path}{signed}", f"arn:aws:s3:::{name}{raw}",
    ]))  # fmt: skip
    return name, key, spelling


@given(s3_spellings())
def test_every_spelling_of_a_bucket_is_one(drawn):
    name, key, spelling = drawn
    expected = str(place(f"s3://{name}" + "".join("/" + escaped(part, True) for part in key)))
    assert judge(spelling, ()) == (expected, "external")
    assert expected.startswith(f"s3://{name}")
    assert judge(spelling, [Ours.parse(f"s3://{name}")]) == (expected, "internal")
    assert judge(expected, ())[0] == expected


@given(s3_spellings(names=NAME.filter(lambda name: not name.startswith("acme-"))))
def test_no_spelling_of_a_foreign_bucket_is_ours(drawn):
    _, _, spelling = drawn
    ours = [
        Ours.parse(entry)
        for entry in ("s3://acme-*", "arn:aws:s3:::acme-exports", "https://*.acme.example", "123456789012")
    ]
    assert judge(spelling, ours)[1] == "external"


@given(NAME, st.sampled_from([
    "https://s3.eu-central-1.amazonaws.com.evil.test/acme-x", "https://acme-x.s3.amazonaws.com@evil.test/", "https://evil.test/acme-x.s3.amazonaws.com",
    "https://acme-x.s3.amazonaws.com.{0}", "https://s3.amazonaws.com:8443/acme-x", "https://acme-x.s3.eu-central-1.amazonaws.org/",
    "https://acme-x.{0}.amazonaws.com/", "https://s3.amazonaws.com/{0}/acme-x", "https://s3.amazonaws.com/../acme-x", "https://s3.amazonaws.com//acme-x",
    "https://{0}.s3.amazonaws.com/acme-x", "https://acme-x.{0}.s3.amazonaws.com.evil/", "https://{0}.acme-x.s3.amazonaws.com/",
    "arn:aws-cn:s3:::acme-x", "https://acme-x.s3.cn-north-1.amazonaws.com.cn/", "https://acme-x.s3.us-gov-west-1.amazonaws.com/", "s3china://acme-x/",
    "arn:aws:s3:::{0}/acme-x", "arn:aws:s3:eu-central-1:210987654321:accesspoint/acme-x", "s3://acme-x-0a1b2c-s3alias/k", "s3://acme-x--ol-s3/k",
    "https://acme-x-210987654321.s3-accesspoint.eu-central-1.amazonaws.com/k", "https://acme-x.storage.googleapis.com/", "azure://acme-x/",
    "https://acme-x.mrap.accesspoint.s3-global.amazonaws.com/k", "arn:aws:s3::210987654321:accesspoint/acme-x.mrap",
    "https://acme-x.s3.amazonaws.com/%2e%2e/{0}", "https://acme-x.s3.amazonaws.com\\@evil.test/", "https://s3.amazonaws.com/acme-x%2f..%2f{0}/k",
    "//storage.googleapis.com/projects/_/buckets/acme-x", "jdbc:s3://acme-x", "@acme-x", "210987654321", "aws://210987654321/acme-x", "mailto:acme-x@{0}.test",
]))  # fmt: skip
def test_what_only_looks_like_ours_is_not(name, template):
    assume(not name.startswith("acme-") and not name.endswith(".amazonaws.com"))
    ours = [Ours.parse(entry) for entry in ("s3://acme-*", "https://*.acme.example", "123456789012")]
    assert judge(template.format(name), ours)[1] == "external"


SAME = [
    ("gs://b-1/a%20b/k", [
        "gs://b-1/a b/k",
        "GCS://B-1/a%20b/k", "https://storage.googleapis.com/b-1/a%20b/k", "https://b-1.storage.googleapis.com/a%20b/k?X-Goog-Signature=0",
        "https://storage.cloud.google.com/b-1/a%20b/k", "https://storage.googleapis.com/storage/v1/b/b-1/o/a%20b%2Fk?alt=media", "http://commondatastorage.googleapis.com./b-1/a%20b/k",
        "https://www.googleapis.com/download/storage/v1/b/b-1/o/a%20b%2Fk", "https://storage.europe-west3.rep.googleapis.com/b-1/a%20b/k", "//storage.googleapis.com/projects/_/buckets/b-1/objects/a%20b/k",
    ]),
    ("gs://b-1", ["https://storage.googleapis.com/upload/storage/v1/b/b-1/o?uploadType=media&name=k", "https://storage.mtls.googleapis.com/b-1"]),
    ("azure://acme1.blob.core.windows.net/c1/d/k", [
        "azure://ACME1.blob.core.windows.net/c1/d/k", "https://acme1.blob.core.windows.net/c1/d/k?sv=2024&sig=SECRET%3D&se=2030", "wasbs://c1@acme1.blob.core.windows.net/d/k",
        "wasb://c1@acme1.blob.core.windows.net./d/k", "abfss://c1@acme1.dfs.core.windows.net/d/k", "abfs://c1@acme1.dfs.core.windows.net/d/k", "https://acme1.dfs.core.windows.net:443/c1/d/k",
        "https://acme1-secondary.blob.core.windows.net/c1/d/k", "https://acme1.privatelink.blob.core.windows.net/c1/d/k", "https://acme1.blob.core.windows.net/c1/%64/k",
    ]),
    ("azure://acme1.blob.core.windows.net/$web/index.html", ["https://acme1.z6.web.core.windows.net/index.html"]),
    ("s3-accesspoint://123456789012/eu-central-1/reports/y/k", [
        "arn:aws:s3:eu-central-1:123456789012:accesspoint/reports/object/y/k", "arn:aws:s3:eu-central-1:123456789012:accesspoint/reports/y/k", "arn:aws:s3:eu-central-1:123456789012:accesspoint:reports/y/k",
        "https://reports-123456789012.s3-accesspoint.eu-central-1.amazonaws.com/y/k", "https://reports-123456789012.s3-accesspoint.dualstack.eu-central-1.amazonaws.com/y/k",
    ]),
    ("s3-mrap://mfzwi23gnjvgw/k", ["arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap/k", "https://mfzwi23gnjvgw.mrap.accesspoint.s3-global.amazonaws.com/k"]),
    ("s3-alias://reports-abc123-s3alias/k", ["s3://reports-abc123-s3alias/k", "https://reports-abc123-s3alias.s3.eu-central-1.amazonaws.com/k"]),
    ("s3+aws-cn://acme-x/k", ["arn:aws-cn:s3:::acme-x/k", "https://acme-x.s3.cn-north-1.amazonaws.com.cn/k", "s3china://acme-x/k"]),
    ("s3+aws-us-gov://acme-x/k", ["https://s3.us-gov-west-1.amazonaws.com/acme-x/k", "s3gov://acme-x/k"]),
    ("s3://b--use1-az4--x-s3/k", ["https://b--use1-az4--x-s3.s3express-use1-az4.us-east-1.amazonaws.com/k"]),
    ("aws://123456789012", ["123456789012"]),
    ("aws://123456789012/iam/root", ["arn:aws:iam::123456789012:root"]),
    ("aws://123456789012/sns/eu-central-1/alerts", ["arn:aws:sns:eu-central-1:123456789012:alerts"]),
    ("aws://123456789012/iam/role/service/etl", ["arn:aws:iam::123456789012:role/service/etl"]),
    ("jdbc:postgresql://db.acme.example/hr", [
        "jdbc:postgresql://DB.acme.example.:5432/hr?user=x&password=y", "JDBC:Postgres://db.acme.example/hr", "jdbc:postgresql://db.acme.example:5432/hr;sslmode=require",
    ]),
    ("jdbc:sqlserver://db.acme.example/hr", ["jdbc:sqlserver://db.acme.example:1433;databaseName=hr;user=sa;password=x;encrypt=true"]),
    ("jdbc:oracle://db.acme.example/orcl", ["jdbc:oracle:thin:@//db.acme.example:1521/orcl", "jdbc:oracle:thin:@db.acme.example:1521:orcl"]),
    ("stage://hr.s1.out/x", ["@HR.S1.OUT/x", '@"HR"."S1".out/x', "@hr.s1.out/x"]),
    ("user-stage://own/x", ["@~/x"]),
    ("table-stage://emp/x", ["@%EMP/x"]),
    ("mailto://acme.example/Ada.L", ["mailto:Ada.L@ACME.example", "Ada.L@acme.example."]),
    ("https://xn--bcher-kva.example/h", ["https://b\u00fccher.example/h", "https://B\u00dcCHER.example./h", "https://XN--BCHER-KVA.example:443/%68"]),
    ("http://127.0.0.1:9000/h", ["http://[::ffff:127.0.0.1]:9000/h", "http://[::FFFF:7f00:1]:9000/h"]),
    ("https://[2001:db8::1]/h", ["https://[2001:0DB8:0:0::0001]:443/h"]),
    ("https://hooks.example/h?id=7&token=hidden", ["https://hooks.example/h?id=7&token=T0PSECRET", "https://hooks.example:443/h?id=7&token=other"]),
]  # fmt: skip


@pytest.mark.parametrize(("normal", "spelling"), [(n, s) for n, spellings in SAME for s in (n, *spellings)])
def test_spellings(normal, spelling):
    assert judge(spelling, ()) == (normal, "external")
    assert judge(spelling, [Ours.parse(normal.partition("?")[0])]) == (normal, "internal")


@pytest.mark.parametrize(
    ("normal", "spelling"), [(n, s) for n, spellings in SAME for s in spellings if "?" not in s and "%" not in s]
)
def test_the_policy_may_use_any_spelling_too(normal, spelling):
    assert judge(normal, [Ours.parse(spelling)])[1] == ("internal" if "?" not in normal else "external")


@pytest.mark.parametrize(
    "text",
    [
        "jdbc:postgresql://db.acme.example,evil.test/hr", "jdbc:postgresql://db.acme.example/hr?socketFactory=evil", "jdbc:mysql://(host=evil.test)/hr",
        "jdbc:mysql:loadbalance://db.acme.example/hr", "jdbc:sqlserver://db.acme.example;serverName=evil.test", "jdbc:postgresql:hr", "jdbc:postgresql://u:p@db.acme.example/hr",
        "jdbc:oracle:thin:@(DESCRIPTION=(ADDRESS=(HOST=evil.test)))", '@"my Stage"/x', '@"out"/x', "@out/../x", "@out.a.b.c/x", "@", "@~evil", "abfss://c@evil.test/x",
        "abfss://acme1.dfs.core.windows.net/x", "azure://evil.test/c", "wasbs://c@x@acme1.blob.core.windows.net/d", "arn:aws:s3", "arn:aws:s3:::", "arn:aws:s3:::b/../c",
        "arn:aws:s3:eu-central-1:1234:accesspoint/x", "arn:evil:s3:::acme-x", "arn:aws:s3:::b/%2e%2e/c", "https://storage.googleapis.com/storage/v1/b/b1/acl",
        "https://storage.googleapis.com/storage/v1/b/b1/o/..%2Fk", "mailto:a@b.example?cc=evil@evil.test", "mailto:a@b.example,c@d.example", "a@b@c.example", "١٢٣٤٥٦٧٨٩٠١٢",
    ],
)  # fmt: skip
def test_what_cannot_be_read_for_certain_has_no_normal_form(text):
    shown, side = judge(
        text,
        [
            Ours.parse(e)
            for e in (
                "https://db.acme.example",
                "@out",
                "azure://acme1.blob.core.windows.net",
                "jdbc:postgresql://db.acme.example",
            )
        ],
    )
    assert shown.startswith(UNREADABLE) and side == "external"


SECRETS = [
    "https://acme1.blob.core.windows.net/c?sv=1&sig=T0PSECRET", "https://b.s3.amazonaws.com/k?X-Amz-Signature=T0PSECRET&X-Amz-Security-Token=T0PSECRET", "https://up.test/x?a=1&api_key=T0PSECRET",
    "https://user:T0PSECRET@up.test/x", "s3://b/k?sig=T0PSECRET", "https://up.test/ x?key=T0PSECRET", "jdbc:mysql://h,i/d?password=T0PSECRET", "jdbc:x:y;password=T0PSECRET;z",
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=T0PSECRET==", "s3:/b/k CREDENTIALS=(AWS_SECRET_KEY='T0PSECRET')", "https://up.test/x?ACCESS%5FTOKEN=T0PSECRET",
]  # fmt: skip


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_are_not_shown(text):
    assert "T0PSECRET" not in judge(text, ())[0]


@pytest.mark.parametrize(
    "entry",
    [
        "https://*.s3.amazonaws.com", "https://*.amazonaws.com/acme/*", "https://*.storage.googleapis.com/*", "https://*.blob.core.windows.net", "https://*.co.uk", "https://*.github.io",
        "azure://*.blob.core.windows.net/c", "azure://acme*", "azure://acme*.blob.core.windows.net.evil.test", "aws://*", "jdbc:postgresql://*/hr", "arn:aws:s3:::*", "@*", "s3://*/acme",
        "https://acme-x.s3.amazonaws.com/exports/*", "https://s3.amazonaws.com/acme-x/*", "mailto://*", "gs://?", "https://up.test/x?token=1", "s3://acme-x/%2e%2e",
    ],
)  # fmt: skip
def test_entries_that_are_too_wide_or_not_normal(entry):
    with pytest.raises(ValueError, match=r"."):
        Ours.parse(entry)


@pytest.mark.parametrize(
    ("entry", "inside", "outside"),
    [
        ("azure://acme*.blob.core.windows.net", "wasbs://c@acme7.blob.core.windows.net/k", "wasbs://c@evil7.blob.core.windows.net/k"),
        ("azure://acme1.blob.core.windows.net/c/*", "abfss://c@acme1.dfs.core.windows.net/k", "abfss://d@acme1.dfs.core.windows.net/c/k"),
        ("arn:aws:s3:::acme-*", "s3://acme-x/k", "s3+aws-cn://acme-x/k"),
        ("@hr.*/x/*", "@HR.S1.OUT/x/y", "@hr2.s1.out/x/y"),
        ("http://[::1]:9000", "http://[0:0::1]:9000/x", "http://[::2]:9000/x"),
        ("s3-accesspoint://123456789012", "arn:aws:s3:eu-west-1:123456789012:accesspoint/n/k", "arn:aws:s3:eu-west-1:210987654321:accesspoint/n/k"),
        ("https://abc.execute-api.eu-west-1.amazonaws.com/prod/*", "https://ABC.execute-api.eu-west-1.amazonaws.com/prod/x", "https://abd.execute-api.eu-west-1.amazonaws.com/prod/x"),
        ("s3://shared/a b/*", "s3://shared/a%20b/k", "s3://shared/a/k"),
    ],
)  # fmt: skip
def test_globs(entry, inside, outside):
    ours = [Ours.parse(entry)]
    assert (judge(inside, ours)[1], judge(outside, ours)[1]) == ("internal", "external")


def test_several_are_ours_when_all_are():
    ours = [Ours.parse("s3://acme-*")]
    assert judge_all([], ours) == (None, None)
    assert judge_all(["s3://acme-x", "s3a://ACME-x"], ours) == ("s3://acme-x", "internal")
    assert judge_all(["s3://acme-x", "s3://acme-y"], ours) == ("several: s3://acme-x, s3://acme-y", "internal")
    assert judge_all(["s3://acme-x", "s3://evil"], ours) == ("several: s3://acme-x, s3://evil", "external")
