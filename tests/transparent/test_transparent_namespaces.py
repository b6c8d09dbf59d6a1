"""Transparent mode, end to end: a workstation, a gateway and a service, each in a network namespace of its own.

The workstation routes through the gateway; nftables there redirects what it says to the gateway's port. The rules are
those that deploy/ ships. Needs root, iproute2 and nftables; skipped with the reason where they are missing.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from demo.certificates import certificates
from tests.running import POLICY, ROOT

SERVICE = """
import sys
from pathlib import Path
from tests.origin import Origin, json_response
rows = b'{"rows":[{"id":1,"ssn":"123-45-6789"}]}'
secure = Origin(Path(sys.argv[1]), lambda request: json_response(rows), address="10.77.2.2", port=8443)
private = Origin(Path(sys.argv[2]), lambda request: json_response(b'{"private":true}'), address="10.77.2.2", port=443)
untouched = Origin(Path(sys.argv[2]), lambda request: json_response(b'{"untouched":true}'), address="11.0.0.2", port=443)
inspected = Origin(Path(sys.argv[3]), lambda request: json_response(b'{"inspected":true}'), address="11.0.0.3", port=443)
print("ready", flush=True)
sys.stdin.read()
print(len(secure.received), len(private.received), b"the-service-secret" in secure.received, b"Bearer ey" in secure.received, flush=True)
"""


def missing() -> str:
    """Why namespaces cannot be made here, or nothing."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool in ("ip", "nft", "curl"):
        if shutil.which(tool) is None and not Path(f"/usr/sbin/{tool}").exists():
            return f"{tool} is not installed"
    probe = subprocess.run(["ip", "netns", "add", "sluice-probe"], capture_output=True, text=True)
    if probe.returncode != 0:
        return f"namespaces cannot be made: {probe.stderr.strip()}"
    subprocess.run(["ip", "netns", "delete", "sluice-probe"], check=True)
    return ""


REASON = missing()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON or "namespaces can be made")


class Net:
    """Three namespaces in a row: workstation 10.77.1.2, gateway 10.77.1.1 and 10.77.2.1, service 10.77.2.2."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        tag = f"s{os.getpid() % 10000}"
        self.workstation, self.gateway, self.service = (f"{tag}{part}" for part in ("ws", "gw", "sv"))
        self.started: list[subprocess.Popen[str]] = []

    def run(self, *command: str) -> None:
        subprocess.run(command, check=True, capture_output=True)

    def build(self) -> None:
        for name in (self.workstation, self.gateway, self.service):
            self.run("ip", "netns", "add", name)
            self.run("ip", "-n", name, "link", "set", "lo", "up")
            etc = Path("/etc/netns") / name
            etc.mkdir(parents=True, exist_ok=True)
            (etc / "hosts").write_text(
                "127.0.0.1 localhost\n10.77.2.2 chunks.test private.test\n10.77.2.9 elsewhere.test\n"
                "11.0.0.2 untouched.test\n11.0.0.3 inspected.test\n"
            )
        for left, right, net in ((self.workstation, self.gateway, 1), (self.service, self.gateway, 2)):
            ends = [f"{name}{net}" for name in (left, right)]
            self.run(
                "ip", "link", "add", ends[0], "netns", left, "type", "veth", "peer", "name", ends[1], "netns", right
            )
            for name, end, host in ((left, ends[0], 2), (right, ends[1], 1)):
                self.run("ip", "-n", name, "address", "add", f"10.77.{net}.{host}/24", "dev", end)
                self.run("ip", "-n", name, "link", "set", end, "up")
            self.run("ip", "-n", left, "route", "add", "default", "via", f"10.77.{net}.1")
        # Public addresses, as far as anybody can tell; they exist in these namespaces alone.
        for host in (2, 3):
            self.run("ip", "-n", self.service, "address", "add", f"11.0.0.{host}/24", "dev", f"{self.service}2")
        self.run("ip", "-n", self.gateway, "address", "add", "11.0.0.1/24", "dev", f"{self.gateway}2")
        self.run("ip", "netns", "exec", self.gateway, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        rules = (ROOT / "deploy" / "transparent.nft").read_text()
        rules = re.sub(r'define workstations = "\w+"', f'define workstations = "{self.gateway}1"', rules)
        (self.folder / "rules.nft").write_text(rules)
        nft = shutil.which("nft") or "/usr/sbin/nft"
        self.run("ip", "netns", "exec", self.gateway, nft, "-f", str(self.folder / "rules.nft"))

    def start(self, name: str, ready: str, *command: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            ["ip", "netns", "exec", name, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT), **environment},
        )
        self.started.append(process)
        seen = ""
        assert process.stdout is not None
        for line in process.stdout:
            seen += line
            if ready in line:
                break
        else:
            raise AssertionError(f"{command} ended:\n{seen}")
        if ready == "gateway on":
            threading.Thread(target=process.stdout.read, daemon=True).start()
        return process

    def curl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                "ip",
                "netns",
                "exec",
                self.workstation,
                "curl",
                "-sS",
                "--max-time",
                "60",
                "-w",
                "\n%{http_code}",
                *arguments,
            ],
            capture_output=True,
            text=True,
            env={"PATH": os.environ["PATH"]},
        )

    def recorded(self) -> list[dict[str, object]]:
        """What an investigator lists."""
        tool = str(Path(sys.executable).parent / "sluicegate-replay")
        folder = str(self.folder / ".sluicegate" / "recordings")
        done = subprocess.run([tool, "list", "--json", "--from", folder], capture_output=True, text=True)
        return list(json.loads(done.stdout)["exchanges"])

    def destroy(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for name in (self.workstation, self.gateway, self.service):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)
            shutil.rmtree(Path("/etc/netns") / name, ignore_errors=True)


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    folder = tmp_path_factory.mktemp("transparent")
    network = Net(folder)
    try:
        network.build()
        hosts = ("chunks.test", "untouched.test", "inspected.test")
        made = [certificates(folder / host, host) for host in hosts]
        network.untouched_ca = made[1].ca
        authorities = folder / "authorities.pem"
        authorities.write_bytes(b"".join(files.ca.read_bytes() for files in made))
        network.origin = network.start(
            network.service, "ready", sys.executable, "-c", SERVICE, *(str(files.service) for files in made)
        )
        port = folder / "port"
        network.start(
            network.gateway,
            "",
            sys.executable,
            "-m",
            "demo.identity_provider",
            "--port",
            "9500",
            "--port-file",
            str(port),
        )
        policy = folder / "policy.toml"
        text = POLICY.format(
            port=8080,
            console=8090,
            drain=5,
            ca=authorities,
            issuer="http://127.0.0.1:9500",
            hosts='"chunks.test:8443"',
            identity="address_sign_in = true",
            gateway='others = "inspect"\ntunnel_hosts = ["untouched.test", "private.test", "elsewhere.test"]',
            more='[[rules]]\nid = "web"\neffect = "allow"\nwho = ["group:engineering"]\nservice = ["others"]\nkind = ["read"]\n',
        )
        text = text.replace('listen = "127.0.0.1:8080"', 'listen = "0.0.0.0:8080"').replace(
            "127.0.0.0/8", "10.77.2.0/24"
        )
        text = text.replace('listen = "127.0.0.1:8090"', 'listen = "0.0.0.0:8090"\naddress = "http://10.77.1.1:8090"')
        policy.write_text(text)
        network.start(
            network.gateway,
            "gateway on",
            str(Path(sys.executable).parent / "sluicegate"),
            "up", "--mode", "transparent", "--policy", str(policy),
            CHUNKS_TOKEN="the-service-secret",
            HOME=str(folder),
        )  # fmt: skip
        network.ca = folder / ".sluicegate" / "ca" / "mitmproxy-ca-cert.pem"
        done = subprocess.run(
            ["ip", "netns", "exec", network.gateway, sys.executable, "-c",
             "from demo.people import token_for\nfor p in ('ada','grace','mallory'): print(token_for('http://127.0.0.1:9500', p))"],
            capture_output=True, text=True, cwd=ROOT, check=True,
        )  # fmt: skip
        network.tokens = dict(zip(("ada", "grace", "mallory"), done.stdout.split(), strict=True))
        yield network
    finally:
        network.destroy()


CHUNK = "https://chunks.test:8443/datasets/customers/chunks/1"


def ask(net, person, *extra, url=CHUNK):
    credential = ["-H", f"Authorization: Bearer {net.tokens[person]}"] if person else []
    done = net.curl("--cacert", str(net.ca), *credential, *extra, url)
    body, _, code = done.stdout.rpartition("\n")
    return int(code or 0), body, done.stderr


def test_the_workstation_sees_masked_rows_without_any_proxy_setting(net):
    status, body, errors = ask(net, "ada")
    assert status == 200, (body, errors)
    assert json.loads(body)["rows"][0]["ssn"].endswith("6789") and "123-45-" not in body


def test_http2(net):
    status, body, _ = ask(net, "ada", "--http2")
    assert status == 200 and "123-45-" not in body


def test_another_group_sees_it_unmasked(net):
    assert "123-45-6789" in ask(net, "grace")[1]


def test_without_a_token_the_answer_is_511_inside_the_connection(net):
    status, body, _ = ask(net, None)
    assert status == 511 and json.loads(body)["status"] == 511


def test_a_bad_token_and_a_person_without_groups(net):
    assert ask(net, None, "-H", "Authorization: Bearer nonsense")[0] == 511
    assert ask(net, "mallory")[0] == 403


def test_the_persons_token_in_the_place_of_the_services_key(net):
    for extra in (["-H", f"X-Api-Key: {net.tokens['ada']}"], ["-u", f"account:{net.tokens['ada']}"]):
        status, body, _ = ask(net, None, *extra)
        assert status == 200 and "123-45-" not in body
    assert ask(net, None, "-H", "X-Api-Key: the-key-of-somebody")[0] == 511


SIGN_IN = """
import base64, hashlib, json, time
import httpx2
from urllib.parse import parse_qs, urlsplit
client = httpx2.Client(trust_env=False, follow_redirects=False, timeout=60)
ask = {"client_id": "sluicegate-cli", "response_type": "code", "redirect_uri": "http://127.0.0.1/callback", "scope": "openid groups",
       "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(b"v" * 48).digest()).decode().rstrip("="),
       "code_challenge_method": "S256", "state": "s", "nonce": "n"}
issuer = "http://127.0.0.1:9500"
answer = client.post(issuer + "/authorize", params=ask, data={"person": "ada", "decision": "allow"})
code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
tokens = client.post(issuer + "/token", data={"grant_type": "authorization_code", "code": code, "client_id": "sluicegate-cli",
                     "redirect_uri": ask["redirect_uri"], "code_verifier": "v" * 48}).json()
print(client.post("http://127.0.0.1:8090/api/sign-in", json={"id_token": tokens["id_token"], "nonce": "n"}).json()["handle"])
"""


def test_signed_in_for_the_address_of_the_workstation(net):
    """The page that the refusal names; a browser's cookie is given to it by hand."""
    status, body, _ = ask(net, None)
    page = json.loads(body)["sign_in_url"]
    assert (status, page) == (511, "http://10.77.1.1:8090/here")
    # The console is a process of its own, and may come up after the gateway.
    up = net.curl("--retry", "60", "--retry-delay", "1", "--retry-connrefused", "http://10.77.1.1:8090/healthz")
    assert up.stdout.endswith("200"), up.stderr
    made = subprocess.run(
        ["ip", "netns", "exec", net.gateway, sys.executable, "-c", SIGN_IN], capture_output=True, text=True, cwd=ROOT
    )
    handle = made.stdout.strip()
    assert handle.startswith("slg_"), made.stderr
    cookie = ["-H", f"Cookie: __Host-sluicegate={handle}"]
    shown = net.curl(*cookie, page).stdout
    found = re.search(r'name="csrf" value="([^"]+)"><button>Sign in for 10.77.1.2<', shown)
    assert found, shown
    done = net.curl(*cookie, "--data-urlencode", f"csrf={found[1]}", page)
    assert "Signed in for 10.77.1.2" in done.stdout and done.stdout.endswith("200")
    status, body, _ = ask(net, None)
    assert status == 200 and json.loads(body)["rows"][0]["ssn"].endswith("6789") and "123-45-" not in body
    call = ["-H", f"Authorization: Bearer {handle}", "-H", "Content-Type: application/json"]
    session = json.loads(net.curl(*call, "http://10.77.1.1:8090/api/session").stdout.rpartition("\n")[0])["session"][
        "id"
    ]
    ended = net.curl(*call, "-X", "POST", "-d", "{}", f"http://10.77.1.1:8090/api/sessions/{session}/end")
    assert ended.stdout.endswith("200")
    for _ in range(100):
        if ask(net, None)[0] == 511:
            break
    assert ask(net, None)[0] == 511


def test_names_that_disagree(net):
    status, body, _ = ask(net, "ada", "-H", "Host: evil.test")
    assert status == 421, body


def test_the_name_that_was_judged_is_dialled_not_the_address(net):
    """The client sends its packets to another machine under the service's name; what is dialled is the service."""
    status, body, _ = ask(net, "ada", "--resolve", "chunks.test:8443:10.77.2.9")
    assert status == 200 and "123-45-" not in body


def test_a_host_that_is_not_in_the_policy(net):
    status, body, _ = ask(net, "ada", "--resolve", "evil.test:8443:10.77.2.2", url="https://evil.test:8443/")
    assert status == 403 and "unknown-host" in body


def test_plain_http_and_other_ports(net):
    assert ask(net, "ada", url="http://chunks.test:8443/datasets/customers/chunks/1")[0] in (400, 403, 421)
    assert net.curl("--max-time", "5", "telnet://10.77.2.2:22").returncode != 0


def test_the_gateways_own_port_is_not_for_workstations(net):
    done = net.curl("--proxy", "http://10.77.1.1:8080", CHUNK)
    assert done.returncode != 0


def test_a_listed_host_passes_untouched_and_is_recorded(net):
    done = net.curl("--cacert", str(net.untouched_ca), "https://untouched.test/")
    assert done.stdout == '{"untouched":true}\n200', done.stderr
    while not (found := [line["request"] for line in net.recorded() if line["rules"] == ["tunnel"]]):
        pass  # it is written down when the tunnel has ended
    assert found == ["CONNECT untouched.test:443"]


def test_a_listed_host_at_a_private_address_is_not_dialled(net):
    status, body, _ = ask(net, None, url="https://private.test/")
    assert (status, body) == (0, "")


def test_a_listed_name_must_belong_to_the_address(net):
    """elsewhere.test does not resolve to where the packets go: it is intercepted, and refused inside."""
    status, body, _ = ask(net, "ada", "--resolve", "elsewhere.test:443:11.0.0.2", url="https://elsewhere.test/")
    assert status == 403 and "tunnel-only" in body


def test_other_hosts_are_inspected_judged_and_recorded(net):
    status, body, errors = ask(net, "ada", url="https://inspected.test/page?q=1;x=//")
    assert status == 200 and body == '{"inspected":true}', (body, errors)
    assert ask(net, "mallory", url="https://inspected.test/page")[0] == 403
    assert ask(net, "ada", "-d", "x=1", url="https://inspected.test/page")[0] == 403
    assert ask(net, None, url="https://inspected.test/page")[0] == 511
    rows = [line for line in net.recorded() if line["service"] == "others"]
    assert sorted(line["status"] for line in rows) == [200, 403, 403, 511]


def test_the_service_got_its_own_secret_and_nothing_of_ours(net):
    ask(net, "ada")
    assert net.origin.stdin is not None and net.origin.stdout is not None
    net.origin.stdin.close()
    secure, private, secret, ours = net.origin.stdout.read().split()
    assert int(secure) > 0 and private == "0" and secret == "True" and ours == "False"
