"""policy.toml: every problem at once, on the right line, with what was probably meant."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.errors import Fault
from sluicegate.settings import PolicyFault, State, load, positions

MINIMAL = '[identity]\nissuer = "https://idp.test"\n'


def problems(tmp_path, text):
    path = tmp_path / "policy.toml"
    path.write_text(text)
    with pytest.raises(PolicyFault) as caught:
        load(path)
    assert caught.value.exit_code == 2
    return [(p.line, p.where, p.suggestion) for p in caught.value.problems]


def test_the_smallest_policy_denies_by_default(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text(MINIMAL)
    loaded = load(path)
    assert loaded.settings.gateway.others == "refuse" and loaded.settings.rules == [] and len(loaded.digest) == 64


def test_files_that_are_named_are_looked_for_beside_the_policy(tmp_path, monkeypatch):
    path = tmp_path / "policy.toml"
    path.write_text(f'[gateway]\ntrusted_ca = "a.pem"\n{MINIMAL}trusted_ca = "b/c.pem"\nclient_ca = "d.pem"\n')
    monkeypatch.chdir("/")
    settings = load(path).settings
    assert settings.gateway.trusted_ca == str(tmp_path / "a.pem")
    assert settings.identity.trusted_ca == str(tmp_path / "b/c.pem")
    assert settings.identity.client_ca == str(tmp_path / "d.pem")


def test_all_problems_are_listed_with_line_and_suggestion(tmp_path):
    text = """# a comment = not a key
[gateway]
listn = "127.0.0.1:1"
others = "refuze"
[identity]
issuer = "https://idp.test"
[services.chunks]
hosts = ["chunks.test:8443", "http://a b"]
dialect = "chunks"
credential = { header = "Authorization", vale = "x" }
[[rules]]
id = "a"
effect = "alow"
columns = [
  "ssn", # [[rules]]
  "[x]",
]
[[rules]]
id = "b"
efect = "allow"
reason = \"\"\"
[[rules]]
key = 1
\"\"\"
kind = ["reed"]
[[masks]]
id = "m"
method = "reverse"
"""
    assert problems(tmp_path, text) == [
        (3, "gateway.listn", "did you mean `listen`?"),
        (4, "gateway.others", "did you mean `refuse`?"),
        (8, "services.chunks.hosts", ""),
        (10, "services.chunks.credential.vale", "did you mean `value`?"),
        (13, "rules.0.effect", "did you mean `allow`?"),
        (18, "rules.1.effect", ""),
        (20, "rules.1.efect", "did you mean `effect`?"),
        (25, "rules.1.kind.0", "did you mean `read`?"),
        (28, "masks.0.method", ""),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [("a = \n", 1), ("[identity]\nissuer = 'x\n", 2), ("x = 1\nx = 2\n", 2), ("[a]\n\n[a]\n", 3)],
)
def test_syntax_errors_name_a_line(tmp_path, text, line):
    [(found, where, _)] = problems(tmp_path, text)
    assert where == "syntax" and abs(found - line) <= 1


def test_files_that_cannot_be_read_are_one_clear_line(tmp_path):
    with pytest.raises(Fault, match="No such file"):
        load(tmp_path / "nowhere.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xe9\n")
    with pytest.raises(PolicyFault, match="UTF-8"):
        load(tmp_path / "latin.toml")


@pytest.mark.parametrize(
    "line",
    [
        'hosts = ["*.test"]', 'hosts = ["a.test:0"]', 'hosts = ["ftp://a.test"]', 'hosts = ["https://a.test/x"]',
        'hosts = ["127.1"]', 'hosts = ["u@a.test"]', "hosts = []", 'hosts = "a.test"',
        'hosts = ["a.test"]\naddresses = ["10.0.0.1/8"]', 'hosts = ["a.test"]\naddresses = ["x"]',
    ],
)  # fmt: skip
def test_bad_hosts_and_networks(tmp_path, line):
    assert problems(tmp_path, MINIMAL + '[services.a]\ndialect = "d"\n' + line + "\n")


@pytest.mark.parametrize("host", ["*", "*.com", "*.*.test", "a.*.test", "", "*."])
def test_tunnel_hosts_that_are_too_wide(tmp_path, host):
    assert problems(tmp_path, MINIMAL + f'[gateway]\nothers = "tunnel"\ntunnel_hosts = ["{host}"]\n')


KEYS = st.text("abcXYZ_-0", min_size=1, max_size=6)
VALUES = st.sampled_from(
    [
        "1",
        "'x = y # ['",
        '"[a]\\""',
        "[1, [2, 3], # = ]\n 4]",
        "{ a = 1, b = [1] }",
        '"""\n[x]\ny = 1\n"""',
        "'''\n#'''",
    ]
)


@given(st.lists(st.tuples(KEYS, st.lists(st.tuples(KEYS, VALUES), max_size=4)), max_size=5))
def test_every_key_is_found_on_the_line_where_it_stands(tables):
    lines, expected = [], {}
    for number, (table, entries) in enumerate(tables):
        name = f"t{number}{table}"
        expected[(name,)] = sum(text.count("\n") + 1 for text in lines) + 1
        lines.append(f"[{name}] # comment = [")
        for index, (key, value) in enumerate(entries):
            expected[name, f"{key}{index}"] = sum(text.count("\n") + 1 for text in lines) + 1
            lines.append(f"{key}{index} = {value}")
    text = "\n".join(lines) + "\n"
    tomllib.loads(text)
    assert positions.line_numbers(text) == expected


@pytest.mark.parametrize("below", ["", "more"])
def test_a_state_folder_that_is_a_file_is_told_so(tmp_path, below):
    (tmp_path / "file").touch()
    with pytest.raises(Fault, match="cannot be written: it is not a folder"):
        State(tmp_path / "file" / below).open()
