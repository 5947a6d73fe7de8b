"""The ssh transport: what it runs, what it says when something is wrong, transfers that are cut."""

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from profiler.errors import InputError, TransientError, TransportError
from profiler.schema.device.ssh import PLACEHOLDER, SshSpec
from profiler.transport.ssh import errors as ssh_errors
from profiler.transport.ssh.line import command_line
from profiler.transport.ssh.transport import SshTransport
from profiler.wire.codec import DecodeError, decode

Stub = Callable[..., None]


@pytest.mark.parametrize(
    ("mode", "kind", "says", "hint"),
    [
        ("denied", ssh_errors.PermissionDenied, "none of your keys", "ssh-copy-id pi@device"),
        ("unknown", ssh_errors.HostKeyUnknown, "not known yet", "fingerprint"),
        ("changed", ssh_errors.HostKeyChanged, "not the one you confirmed", "ssh-keygen -R device"),
        ("refused", ssh_errors.Unreachable, "Connection refused", "is it on"),
        ("unreachable", ssh_errors.Unreachable, "No route to host", "is it on"),
        ("name", ssh_errors.NameNotResolved, "no address", "getent hosts device"),
        ("option", ssh_errors.BadSshConfig, "frobnicate", "by hand"),
        ("lost", ssh_errors.LinkLost, "Broken pipe", "ssh pi@device"),
        ("silent", ssh_errors.LinkLost, "the connection broke", "ssh pi@device"),
        ("full", ssh_errors.NoSpace, "no space left", "targets clean"),
        ("full-later", ssh_errors.NoSpace, "no space left", "targets clean"),
        ("old", ssh_errors.OldPython, "Python 3.7.3", "3.8"),
    ],
)
def test_each_failure_has_its_own_message(
    stub: Stub, tmp_path: Path, mode: str, kind: type[TransportError], says: str, hint: str
) -> None:
    stub(mode)
    transport = SshTransport(SshSpec(host="device", user="pi", folder=str(tmp_path / "d")))
    (tmp_path / "x").write_bytes(b"x" * 9_000_000)
    with pytest.raises(TransportError) as caught:
        transport.stage(tmp_path / "x", "0" * 64)
    transport.close()
    assert type(caught.value) is kind
    assert says in caught.value.message
    assert "pi@device" in caught.value.message
    assert hint in (caught.value.hint or "")


def test_a_missing_python_is_named(stub: Stub, tmp_path: Path) -> None:
    stub("plain")
    transport = SshTransport(SshSpec(host="device", folder=str(tmp_path / "d")), "python3.99")
    with pytest.raises(ssh_errors.NoPython, match=r"there is no python3\.99"):
        transport.probe()
    transport.close()


def test_a_missing_client_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    transport = SshTransport(SshSpec(host="device"))
    with pytest.raises(TransportError, match="ssh: can't be started") as caught:
        transport.probe()
    assert "openssh-client" in (caught.value.hint or "")
    transport.close()


def test_only_folders_of_ours_are_used_and_removed(stub: Stub, tmp_path: Path) -> None:
    stub("plain")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("precious")
    transport = SshTransport(SshSpec(host="device", folder=str(tmp_path / "home")))
    with pytest.raises(ssh_errors.NoFolder, match="not ours"):
        transport.clean()
    assert (tmp_path / "home" / "thesis.tex").exists()
    transport.close()
    own = SshTransport(SshSpec(host="device", folder=str(tmp_path / "own")))
    own.probe()
    assert (tmp_path / "own").stat().st_mode & 0o77 == 0, "others can't read it"
    own.clean()
    assert not (tmp_path / "own").exists()
    own.close()


BAD = [
    ("host", "-oProxyCommand=touch x"), ("host", "a b"), ("host", "a;b"), ("host", ""),
    ("host", "$(x)"), ("host", "a\nb"), ("user", "-l"), ("user", "a b"), ("user", "a;b"),
    ("user", "$USER"), ("proxy_jump", "-x"), ("proxy_jump", "a,-oProxyCommand=x"),
    ("proxy_jump", ""), ("proxy_jump", "a b"), ("identity_file", "-x"), ("identity_file", "rel"),
    ("config_file", "x\ny"), ("folder", "/"), ("folder", "."), ("folder", ""), ("folder", "a/.."),
    ("folder", "-rf"), ("folder", "~"), ("folder", "a\nb"), ("port", 0), ("port", 70000),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), BAD)
def test_nothing_can_pass_for_an_option(key: str, value: object) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(SshSpec, {"host": "device", key: value})
    assert caught.value.path == key


def test_the_shell_sees_quoted_words_only(stub: Stub, tmp_path: Path) -> None:
    line = command_line(SshSpec(host="device", user="pi"), None, "true")
    assert line[-3:-1] == ["--", "device"], "nothing after -- is an option"
    stub("plain")
    folder = tmp_path / "$(touch injected) ; touch injected2 #'"
    transport = SshTransport(SshSpec(host="device", folder=str(folder)), "python3")
    transport.probe()
    transport.close()
    assert folder.is_dir()
    assert not list(Path.cwd().glob("injected*"))
    assert not list(tmp_path.glob("injected*"))


def test_the_options_that_keep_it_safe() -> None:
    line = command_line(SshSpec(host="device"), Path("/private/s"), "true")
    for option in ("BatchMode=yes", "StrictHostKeyChecking=yes", "ServerAliveInterval=15",
                   "ServerAliveCountMax=3", "LogLevel=ERROR", "ForwardAgent=no"):  # fmt: skip
        assert line[line.index(option) - 1] == "-o"
    assert {"-T", "-x"} < set(line)
    transport = SshTransport(SshSpec(host="device"))
    assert transport._private.stat().st_mode & 0o777 == 0o700
    transport.close()
    assert not transport._private.exists()


@pytest.mark.parametrize(
    ("text", "host", "user", "port"),
    [("pi@rpi", "rpi", "pi", None), ("rpi", "rpi", None, None), ("a@h:2222", "h", "a", 2222),
     ("::1", "::1", None, None), ("u@fe80::1%eth0", "fe80::1%eth0", "u", None)],
)  # fmt: skip
def test_addresses(text: str, host: str, user: str | None, port: int | None) -> None:
    assert SshSpec.from_address(text) == SshSpec(host=host, user=user, port=port)


def test_a_placeholder_is_not_a_host() -> None:
    with pytest.raises(TransportError, match="placeholder") as caught:
        SshTransport(SshSpec(host=PLACEHOLDER))
    assert "targets add" in (caught.value.hint or "")


def test_a_cut_transfer_goes_on_where_it_ended(stub: Stub, tmp_path: Path) -> None:
    data = os.urandom(5_000_000)
    sha = hashlib.sha256(data).hexdigest()
    (tmp_path / "model").write_bytes(data)
    device = tmp_path / "device"
    spec = SshSpec(host="device", folder=str(device))
    stub("cut", STUB_BYTES="2000000")
    transport = SshTransport(spec)
    with pytest.raises(TransientError):
        transport.stage(tmp_path / "model", sha)
    partial = device / "blobs" / f"{sha}.part"
    assert not (device / "blobs" / sha).exists(), "half a blob has no name"
    assert 1_000_000 < partial.stat().st_size < 2_100_000
    stub("cut", STUB_BYTES="3300000")  # enough for the rest, not for the whole
    transport.stage(tmp_path / "model", sha)
    assert (device / "blobs" / sha).read_bytes() == data
    assert not partial.exists()
    transport.close()


def test_what_arrives_damaged_is_thrown_away(stub: Stub, tmp_path: Path) -> None:
    stub("plain")
    device = tmp_path / "device"
    transport = SshTransport(SshSpec(host="device", folder=str(device)))
    transport.probe()
    data = b"model" * 1000
    sha = hashlib.sha256(data).hexdigest()
    (tmp_path / "model").write_bytes(data)
    (device / "blobs" / f"{sha}.part").write_bytes(b"something else")
    with pytest.raises(TransientError, match="damaged"):
        transport.stage(tmp_path / "model", sha)
    assert [p.name for p in (device / "blobs").iterdir()] == []
    transport.stage(tmp_path / "model", sha)
    assert (device / "blobs" / sha).read_bytes() == data
    transport.close()


def test_a_file_that_shrinks_while_it_is_sent_is_an_error(
    stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub("plain")
    (tmp_path / "model").write_bytes(os.urandom(1000))
    sendfile = os.sendfile

    def shrink(sink: int, source: int, offset: int, count: int) -> int:
        os.truncate(tmp_path / "model", 400)
        return sendfile(sink, source, offset, count)

    monkeypatch.setattr(os, "sendfile", shrink)
    transport = SshTransport(SshSpec(host="device", folder=str(tmp_path / "device")))
    with pytest.raises(InputError, match="model became shorter"):
        transport.stage(tmp_path / "model", "0" * 64)
    transport.close()


def test_a_file_system_that_knows_no_sendfile_will_do(
    stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    stub("plain")
    monkeypatch.setattr(os, "sendfile", refuse)
    data = os.urandom(3_000_000)
    (tmp_path / "model").write_bytes(data)
    sha = hashlib.sha256(data).hexdigest()
    transport = SshTransport(SshSpec(host="device", folder=str(tmp_path / "device")))
    transport.stage(tmp_path / "model", sha)
    assert (tmp_path / "device" / "blobs" / sha).read_bytes() == data
    transport.close()


def test_one_connection_is_shared_and_let_go(sshd, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    transport = SshTransport(sshd.with_folder(tmp_path / "d"))
    transport.probe()
    assert transport._control is not None
    assert transport._control.is_socket()
    transport.close()
    assert not transport._private.exists()


def test_real_openssh_says_what_we_parse(sshd, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from dataclasses import replace

    good = sshd.with_folder(tmp_path / "d")
    config = (sshd.folder / "config").read_text()
    other = tmp_path / "other"
    other.write_text(config.replace("/known", "/nothing-known"))
    changed = tmp_path / "changed"
    key = (sshd.folder / "key.pub").read_text().split()
    (tmp_path / "wrong").write_text(f"[127.0.0.1]:{sshd.port} {key[0]} {key[1]}\n")
    changed.write_text(config.replace(str(sshd.folder / "known"), str(tmp_path / "wrong")))
    (tmp_path / "broken").write_text("Frobnicate yes\n")
    for spec, kind in (
        (replace(good, identity_file=str(sshd.folder / "host")), ssh_errors.PermissionDenied),
        (replace(good, config_file=str(other)), ssh_errors.HostKeyUnknown),
        (replace(good, config_file=str(changed)), ssh_errors.HostKeyChanged),
        (replace(good, config_file=str(tmp_path / "broken")), ssh_errors.BadSshConfig),
        (replace(good, port=1), ssh_errors.Unreachable),
        (replace(good, host="no-such-host.invalid"), ssh_errors.NameNotResolved),
    ):
        transport = SshTransport(spec)
        with pytest.raises(kind):
            transport.probe()
        transport.close()
