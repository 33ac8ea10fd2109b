"""Configuration: where values come from, and that each wrong one is named with its source."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from signaling.config import DEVELOPMENT_KEY, ConfigError, ServerConfig, add_arguments, load
from signaling.options import OPTIONS
from signaling.values import is_loopback

KEY = "a:" + "s" * 32
NOTHING: dict[str, Any] = {}


def problems(arguments: dict[str, Any] | None = None, environment: dict[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as raised:
        load(arguments or {}, environment or {})
    return raised.value.problems


def toml(directory: Path, text: str) -> dict[str, str]:
    path = directory / "sfu.toml"
    path.write_text(text, "utf-8")
    return {"config": str(path)}


def test_without_anything_there_are_the_defaults() -> None:
    environment = {"SFU_STORE": "memory", "STATE_DIRECTORY": "/var/lib/sfu"}
    assert load({}, environment) == ServerConfig(recordings=Path("/var/lib/sfu/recordings"))


@pytest.mark.parametrize(
    ("environment", "path"),
    [
        ({"STATE_DIRECTORY": "/var/lib/sfu"}, "/var/lib/sfu/sfu.sqlite"),
        ({"STATE_DIRECTORY": "/var/lib/sfu:/var/lib/other"}, "/var/lib/sfu/sfu.sqlite"),
        ({"XDG_STATE_HOME": "/home/ada/state"}, "/home/ada/state/sfu/sfu.sqlite"),
        ({"SFU_STORE": "here.sqlite", "STATE_DIRECTORY": "/var/lib/sfu"}, "here.sqlite"),
        ({"SFU_STORE": "memory"}, None),
        ({"SFU_DEV": "true", "STATE_DIRECTORY": "/var/lib/sfu"}, None),
    ],
)
def test_where_things_are_kept(environment: dict[str, str], path: str | None) -> None:
    assert load({}, environment).store == (None if path is None else Path(path))


@pytest.mark.parametrize(
    ("environment", "path"),
    [
        ({"STATE_DIRECTORY": "/var/lib/sfu"}, "/var/lib/sfu/recordings"),
        ({"SFU_STORE": "/srv/here.sqlite", "STATE_DIRECTORY": "/var/lib/sfu"}, "/srv/recordings"),
        ({"SFU_DEV": "true", "STATE_DIRECTORY": "/var/lib/sfu"}, "/var/lib/sfu/recordings"),
        ({"SFU_RECORDINGS": "/srv/tapes", "STATE_DIRECTORY": "/var/lib/sfu"}, "/srv/tapes"),
    ],
)
def test_where_recordings_are_kept(environment: dict[str, str], path: str) -> None:
    assert load({}, environment).recordings == Path(path)


def test_the_development_key_is_for_this_machine_only() -> None:
    key = {"keys": [":".join(DEVELOPMENT_KEY)]}
    assert load(key, {}).secrets
    (problem,) = problems(key | {"http_host": "0.0.0.0"})
    assert "well known" in problem


def test_flags_win_over_variables_and_these_over_the_file(tmp_path: Path) -> None:
    file = toml(tmp_path, "http_port = 1\nudp_port = 1\nmax_rooms = 1\n")
    config = load(file | {"http_port": "3"}, {"SFU_HTTP_PORT": "2", "SFU_UDP_PORT": "2"})
    assert (config.http_port, config.udp_port, config.max_rooms) == (3, 2, 1)


def test_the_file_may_be_named_by_a_variable(tmp_path: Path) -> None:
    file = toml(tmp_path, "http_port = 1")
    assert load({}, {"SFU_CONFIG": file["config"]}).http_port == 1


def test_lists_replace_lists(tmp_path: Path) -> None:
    file = toml(tmp_path, 'announce = ["192.0.2.1", "192.0.2.2:7000"]')
    assert load(file, {}).announce == ("192.0.2.1", "192.0.2.2:7000")
    assert load(file, {"SFU_ANNOUNCE": "192.0.2.3, 192.0.2.4"}).announce == ("192.0.2.3", "192.0.2.4")
    assert load(file | {"announce": ["192.0.2.5"]}, {}).announce == ("192.0.2.5",)


def test_every_option_has_a_flag_a_variable_and_a_key_of_the_file(tmp_path: Path) -> None:
    certificate = tmp_path / "cert.pem"
    certificate.touch()
    texts = {
        "http_host": "::1",
        "http_port": "8443",
        "tls_cert": str(certificate),
        "tls_key": str(certificate),
        "origin": "https://example.com",
        "udp_port": "7000",
        "workers": "2",
        "bind": "127.0.0.2",
        "announce": "192.0.2.1",
        "min_downlink": "100k",
        "enough_downlink": "400k",
        "max_downlink": "500k",
        "loudest": "5",
        "ice_server": "turn:ada:secret@turn.example.org:3478?transport=udp",
        "dev": "true",
        "keys": KEY,
        "duplicates": "reject",
        "max_rooms": "5",
        "max_participants": "6",
        "empty_room_timeout": "2m",
        "store": str(tmp_path / "sfu.sqlite"),
        "recordings": str(tmp_path / "recordings"),
        "recordings_max_age": "30d",
        "recordings_max_bytes": "500G",
        "recordings_upload": "s3://calls/2026",
        "recordings_upload_endpoint": "https://storage.example.org",
        "recordings_upload_journal": "true",
        "recordings_upload_delete": "true",
        "jwks": str(certificate),
        "master_secret": "m" * 32,
        "expired_tokens": "keep",
        "return_timeout": "5s",
        "quality_hold": "30s",
        "webhook": "https://example.com/hook",
        "webhook_secret": "w" * 32,
        "webhook_allow": "10.0.0.0/8",
        "log_level": "debug",
        "log_format": "json",
        "trace_estimates": str(tmp_path / "estimates"),
        "drain_timeout": "10m",
        "turn_server": "turn:turn.example.org:3478",
        "turn_secret": "north-of-the-river",
        "turn_valid_for": "1h",
    }
    assert set(texts) == {option.name for option in OPTIONS}
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    flags = [f"{option.flag}={texts[option.name]}" if option.metavar else option.flag for option in OPTIONS]
    by_flag = load(vars(parser.parse_args(flags)), {})
    by_variable = load({}, {option.variable: texts[option.name] for option in OPTIONS})
    lines = [f'{option.name} = "{texts[option.name]}"' for option in OPTIONS if not option.many]
    lines += [f'{option.name} = ["{texts[option.name]}"]' for option in OPTIONS if option.many]
    assert by_flag == by_variable == load(toml(tmp_path, "\n".join(lines)), {})
    assert (by_flag.empty_room_timeout, by_flag.keys, by_flag.dev) == (120.0, (("a", "s" * 32),), True)
    assert (by_flag.worker(0).budget_bps, by_flag.worker(0).loudest) == (500_000, 5)
    assert by_flag != ServerConfig()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("http_host", "", "not an address"),
        ("http_host", "http://x", "not an address"),
        ("http_port", "99999", "not a port"),
        ("http_port", "-1", "not a port"),
        ("http_port", "eighty", "not a port"),
        ("http_port", "８０", "not a port"),
        ("udp_port", "65536", "not a port"),
        ("workers", "-1", "a number from 0 to 64"),
        ("workers", "65", "a number from 0 to 64"),
        ("tls_cert", "/nowhere/cert.pem", "there is no file"),
        ("tls_key", "/nowhere/key.pem", "there is no file"),
        ("origin", "example.com", "not an origin"),
        ("origin", "https://example.com/", "not an origin"),
        ("bind", "localhost", "not an IP address"),
        ("bind", "0.0.0.0", "leave the option out"),
        ("announce", "example.com", "not an IP address"),
        ("announce", "192.0.2.1:0", "not a port"),
        ("announce", "0.0.0.0", "could reach"),
        ("max_downlink", "8", "not a bitrate"),
        ("recordings_max_bytes", "500", "not a size"),
        ("recordings_upload", "calls/2026", "s3://BUCKET"),
        ("recordings_upload_endpoint", "https://ada:hunter2@storage.example.org", "https://HOST"),
        ("max_downlink", "0M", "not a bitrate"),
        ("loudest", "0", "not a"),
        ("ice_server", "turn.example.org", "turn:USER:PASSWORD@HOST"),
        ("turn_server", "turn:ada:secret@turn.example.org", "turn:HOST"),
        ("turn_server", "stun:turn.example.org", "turn:HOST"),
        ("turn_secret", "hunter2", "shorter than"),
        ("log_format", "xml", "not one of"),
        ("ice_server", "https://stun.example.org", "turn:USER:PASSWORD@HOST"),
        ("ice_server", "turn:turn.example.org", "needs USER:PASSWORD@"),
        ("ice_server", "turn:hunter2@turn.example.org", "needs USER:PASSWORD@"),
        ("ice_server", "stun:ada:hunter2@stun.example.org", "has none"),
        ("ice_server", "stun:x>; rel=evil", "turn:USER:PASSWORD@HOST"),
        ("dev", "perhaps", "neither true nor false"),
        ("keys", "secret", "ID:SECRET"),
        ("keys", "a b:" + "s" * 32, "ID:SECRET"),
        ("keys", "a:hunter2", "shorter than 32"),
        ("duplicates", "both", "not one of replace, reject"),
        ("max_rooms", "0", "a number from 1"),
        ("max_participants", "many", "a number from 1"),
        ("empty_room_timeout", "soon", "not a time"),
        ("log_level", "loud", "not one of"),
    ],
)
def test_each_wrong_value_is_named_with_its_source(name: str, text: str, said: str, tmp_path: Path) -> None:
    option = next(option for option in OPTIONS if option.name == name)
    file = toml(tmp_path, f'{name} = "{text}"')
    for source, found in (
        (option.flag, problems({name: [text] if option.many else text})),
        (option.variable, problems({}, {option.variable: text or " "})),
        (f"{file['config']}: {name}", problems(file)),
    ):
        assert len(found) == 1 and found[0].startswith(source + ": ") and said in found[0], found
        assert "hunter2" not in found[0], "secrets are not repeated"


def test_all_problems_are_named_at_once(tmp_path: Path) -> None:
    file = toml(tmp_path, 'http_port = "x"\ncolour = "red"\n')
    found = problems(file | {"udp_port": "x"}, {"SFU_DEV": "x", "SFU_COLOUR": "red"})
    assert len(found) == 5
    assert sum("no such variable" in one or "no option 'colour'" in one for one in found) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http_port = [1]", "one value"),
        ("announce = [[1]]", "a list of values"),
        ("[http]\nport = 1", "no option 'http'"),
        ("http_port = {a = 1}", "one value"),
        ("http_port", "not TOML"),
    ],
)
def test_files_that_are_not_as_they_should_be(text: str, said: str, tmp_path: Path) -> None:
    (found,) = problems(toml(tmp_path, text))
    assert said in found and "sfu.toml" in found


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (found,) = problems({"config": str(tmp_path / "none.toml")})
    assert "cannot be read" in found
    (tmp_path / "latin.toml").write_bytes(b"# \xff")
    (found,) = problems({"config": str(tmp_path / "latin.toml")})
    assert "cannot be read" in found


def test_development_mode_is_for_loopback_only() -> None:
    (found,) = problems({"dev": True}, {"SFU_HTTP_HOST": "0.0.0.0"})
    assert found.startswith("--dev: ") and "SFU_HTTP_HOST is 0.0.0.0" in found
    for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost"):
        config = load({"dev": True, "http_host": host}, {})
        assert config.secrets == dict([DEVELOPMENT_KEY]) and config.worker(0).loopback


def test_each_worker_has_its_port() -> None:
    config = load({"workers": "3", "udp_port": "7000"}, {})
    assert [(config.worker(index).worker_index, config.worker(index).udp_port) for index in range(3)] == [
        (0, 7000),
        (1, 7001),
        (2, 7002),
    ]
    any_port = load({"workers": "3", "udp_port": "0"}, {})
    assert [any_port.worker(index).udp_port for index in range(3)] == [0, 0, 0]
    assert load({"workers": "2", "udp_port": "65534"}, {}).workers == 2
    (found,) = problems({"workers": "3", "udp_port": "65534"})
    assert found.startswith("--workers: 3 ports from 65534")


def test_the_development_key_is_not_there_otherwise() -> None:
    assert load({"keys": [KEY]}, {}).secrets == {"a": "s" * 32}
    assert load({}, {}).secrets == {}


def test_certificate_and_key_come_together(tmp_path: Path) -> None:
    certificate = tmp_path / "cert.pem"
    certificate.touch()
    (found,) = problems({"tls_cert": str(certificate)})
    assert found.startswith("--tls-cert: ")


def test_a_key_id_is_given_once() -> None:
    (found,) = problems({}, {"SFU_KEYS": f"{KEY},{KEY}"})
    assert found == "SFU_KEYS: key 'a' is given twice"


def test_secrets_are_not_in_what_is_printed() -> None:
    assert "ssss" not in repr(load({"keys": [KEY]}, {}))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("example.com", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) == expected


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:1"), ("::1", "http://[::1]:1"), ("0.0.0.0", "http://127.0.0.1:1")],
)
def test_the_link_to_open(host: str, url: str) -> None:
    assert ServerConfig(http_host=host).url(1) == url
