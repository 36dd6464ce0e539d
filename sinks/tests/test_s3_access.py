import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import obstore
import pytest

from werks.errors import SinkError
from werks.testing.sink import DAY, SCHEMAS, prove, sample
from werks_sinks import asking
from werks_sinks.credentials import Keys, keys, region
from werks_sinks.s3 import S3

_spec = spec_from_file_location("s3_server", Path(__file__).with_name("s3_server.py"))
servers = module_from_spec(_spec)
_spec.loader.exec_module(servers)
s3_server, s3_options = servers.s3_server, servers.s3_options


@pytest.fixture
def home(tmp_path, monkeypatch, s3_options):
    """A home without any credentials."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    # A machine without a role, and no wait for the one that knows of roles.
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    (tmp_path / "home/.aws").mkdir(parents=True)
    return tmp_path / "home/.aws"


@pytest.fixture
def bare(s3_options, tmp_path, home):
    """Make a sink without keys of its own."""
    given = {name: value for name, value in s3_options.items() if not name.endswith("_key")}
    return lambda **more: S3(**{**given, "path": tmp_path / "spool", **more})


def put(sink):
    writer = sink.open(SCHEMAS)
    try:
        writer.write(DAY, "trades", sample("trades"))
        return writer.commit(DAY, {"trades": prove("trades", sample("trades"))})["trades"]
    finally:
        writer.close()


def test_keys_of_the_environment_are_used(bare, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", servers.ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", servers.SECRET)
    assert not put(bare())["pending"]


def test_an_endpoint_and_region_of_the_environment_are_used(bare, monkeypatch, s3_server):
    keys = {"access_key": servers.ACCESS, "secret_key": servers.SECRET}
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server.endpoint)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert not put(bare(endpoint=None, region=None, **keys))["pending"]


@pytest.mark.parametrize("profile", ["default", "werks"])
def test_keys_of_the_usual_files_are_used(bare, home, monkeypatch, profile):
    (home / "credentials").write_text(
        f"[{profile}]\naws_access_key_id = {servers.ACCESS}\n"
        f"aws_secret_access_key = {servers.SECRET}\n[other]\naws_access_key_id = x\n"
    )
    if profile != "default":
        monkeypatch.setenv("AWS_PROFILE", profile)
    assert not put(bare())["pending"]


def test_keys_of_the_options_come_first(bare, home, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of nobody")
    assert not put(bare(access_key=servers.ACCESS, secret_key=servers.SECRET))["pending"]


def test_the_region_of_the_usual_file_is_used(home, monkeypatch):
    (home / "config").write_text("[default]\nregion = eu-west-1\n[profile x]\nregion = eu-west-2\n")
    assert region(None) == "eu-west-1"
    assert region("us-west-1") == "us-west-1"
    monkeypatch.setenv("AWS_PROFILE", "x")
    assert region(None) == "eu-west-2"


def test_a_damaged_file_of_keys_is_named_without_its_words(home):
    (home / "credentials").write_text("aws_secret_access_key = topsecret\n")
    with pytest.raises(SinkError, match=r"credentials cannot be read; mend it") as raised:
        keys(None, None)
    assert "topsecret" not in repr(raised.value)
    assert raised.value.__cause__ is None


def test_keys_show_nothing():
    assert repr(Keys("access", "topsecret", "token")) == "Keys()"


def test_without_any_keys_it_says_so(bare):
    with pytest.raises(SinkError, match="no credentials were found; set access_key and secret_key"):
        bare(retry_for=0.2).open(SCHEMAS)


def test_a_public_bucket_is_read_without_keys(bare, s3_server, s3_options):
    s3_server.make_bucket("public")
    url = s3_options["url"].replace("//werks", "//public")
    put(S3(**{**s3_options, "url": url}, path=bare().path))
    sink = bare(url=url, anonymous=True)
    (batch,) = sink.read(DAY, "trades", SCHEMAS["trades"])
    assert prove("trades", batch) == dict(sink.proofs("trades"))[DAY]
    with pytest.raises(SinkError, match="forbidden"):
        bare(anonymous=True).open(SCHEMAS)


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        ("status code: 301 <Code>PermanentRedirect</Code>", SinkError, "mend region"),
        ("status code: 403 <Code>ExpiredToken</Code>", SinkError, "renew them"),
        ("status code: 403 Forbidden", SinkError, "forbidden"),
        ("status code: 401", SinkError, "credentials are asked for"),
        ("status code: 403 <Code>RequestTimeTooSkewed</Code>", None, "this machine's clock wrong"),
        ("status code: 429 <Code>SlowDown</Code>", None, r"answers 429 \(SlowDown\)"),
        ("status code: 400 <Code>BadDigest</Code>", None, r"answers 400 \(BadDigest\)"),
        ("something <AWSAccessKeyId>AKIA</AWSAccessKeyId>", None, "breaks connections off"),
    ],
)
def test_answers_are_told_apart_by_whether_waiting_helps(answer, kind, said):
    error = asking.explained(answer, "s3://bucket/key")
    assert type(error) is (kind or asking.UnreachableError)
    with pytest.raises(type(error), match=said):
        raise error
    assert "AKIA" not in str(error)


def test_a_server_whose_etags_are_not_of_the_content_is_read_again(s3_options, s3_server, tmp_path):
    """As with keys of the server's own: a part size of another client makes such an ETag here."""
    sink = S3(**s3_options, path=tmp_path / "spool", upload="at 00:00")
    receipt = put(sink)
    other = S3(**s3_options, path=tmp_path / "other")
    bucket, key = other._bucket, receipt["key"]
    (file,) = tmp_path.rglob("*.feather")
    path, client = file.read_bytes(), s3_server.client(servers.BUCKET)
    obstore.put(client, f"{bucket.prefix}/{key}", path, use_multipart=True)
    there = bucket.find(key)
    assert there.etag.endswith("-1")
    assert bucket._is_proven(key, there, bucket.mark(file))
    assert not bucket._is_proven(key, there, "another")
    proof = json.loads(next(tmp_path.rglob("*.json")).read_text())
    about = {"bytes": len(path), "etag": there.etag, "mark": bucket.mark(file)}
    name = f"{key.rpartition('/')[0]}/_receipts/{key.rpartition('/')[2]}.json"
    bucket.put(name, json.dumps({**proof, "object": about}).encode())
    assert other.holds(DAY, "trades", {"trades": receipt})
    bucket.put(name, json.dumps(proof).encode())
    assert not S3(**s3_options, path=tmp_path / "x").holds(DAY, "trades", {"trades": receipt})
