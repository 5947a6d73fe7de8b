"""What is wrong on the way to a device: a jump host, a changed host key, a locked key."""

import os
import shlex
import socket
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from profiler.errors import TransportError
from profiler.schema.device.ssh import SshSpec
from profiler.transport.ssh import errors as ssh_errors
from profiler.transport.ssh import line as ssh_line
from profiler.transport.ssh.transport import SshTransport

Login = Callable[[str], SshSpec]


def failure(spec: SshSpec) -> TransportError:
    transport = SshTransport(spec)
    with pytest.raises(TransportError) as caught:
        transport.probe()
    transport.close()
    return caught.value


def through(sshd, folder: Path, jump: str) -> SshSpec:  # type: ignore[no-untyped-def]
    """The test's device behind a jump host, which is what `jump` says."""
    (folder / "config").write_text(
        f"Host gate\n  User {sshd.spec.user}\n  {jump}\nHost *\n"
        f"UserKnownHostsFile {sshd.folder}/known\nGlobalKnownHostsFile none\nIdentitiesOnly yes\n"
    )
    return replace(sshd.with_folder(folder / "device"), proxy_jump="gate",
                   config_file=str(folder / "config"))  # fmt: skip


def test_a_way_through_a_jump_host(sshd, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    spec = through(sshd, tmp_path, f"HostName 127.0.0.1\n  Port {sshd.port}\n"
                   f"  IdentityFile {sshd.folder}/key")  # fmt: skip
    transport = SshTransport(spec)
    assert transport.probe()["python"]
    transport.close()


@pytest.mark.parametrize(
    ("jump", "kind", "says"),
    [
        ("HostName 127.0.0.1\n  Port 1", ssh_errors.Unreachable, "Connection refused"),
        ("HostName no-such-host.invalid", ssh_errors.NameNotResolved, "Could not resolve"),
        ("HostName 127.0.0.1\n  Port {port}\n  IdentityFile /nowhere",
         ssh_errors.PermissionDenied, "Permission denied"),
        ("HostName 127.0.0.1\n  Port {port}\n  UserKnownHostsFile /dev/null",
         ssh_errors.HostKeyUnknown, "Host key verification failed"),
    ],
)  # fmt: skip
def test_a_jump_host_that_fails_is_named(  # type: ignore[no-untyped-def]
    sshd, tmp_path: Path, jump: str, kind: type[TransportError], says: str
) -> None:
    error = failure(through(sshd, tmp_path, jump.format(port=sshd.port)))
    assert type(error) is kind
    assert "the way through its jump host fails: gate: " in error.message
    assert says in error.message
    assert "-J gate" in (error.hint or "")
    assert error.kept == "the way through its jump host fails"


def test_a_jump_host_that_forbids_forwarding(sshd, login: Login, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    key = login("true").identity_file
    more = sshd.folder / "more"
    more.write_text(more.read_text().replace("command=", "no-port-forwarding,command="))
    jump = f"HostName 127.0.0.1\n  Port {sshd.port}\n  IdentityFile {key}"
    error = failure(through(sshd, tmp_path, jump))
    assert "jump host forbids forwarding (AllowTcpForwarding in its sshd_config): gate" in (
        error.message
    )


def test_a_device_that_its_jump_host_does_not_reach(sshd, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    jump = f"HostName 127.0.0.1\n  Port {sshd.port}\n  IdentityFile {sshd.folder}/key"
    error = failure(replace(through(sshd, tmp_path, jump), port=1))
    assert type(error) is ssh_errors.Unreachable
    assert "from its jump host: gate says Connection refused" in error.message


def test_a_jump_host_that_says_nothing(  # type: ignore[no-untyped-def]
    sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = tuple(o.replace("Timeout=15", "Timeout=1") for o in ssh_line.OPTIONS)
    monkeypatch.setattr(ssh_line, "OPTIONS", options)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        port = deaf.getsockname()[1]
        error = failure(through(sshd, tmp_path, f"HostName 127.0.0.1\n  Port {port}"))
    assert type(error) is ssh_errors.TimedOut
    assert "no answer on the way through its jump host: gate" in error.message


@pytest.mark.parametrize("alias", ["", "HostKeyAlias my-board\n"])
def test_what_is_to_be_typed_forgets_the_changed_key(  # type: ignore[no-untyped-def]
    sshd, tmp_path: Path, alias: str
) -> None:
    known, config = tmp_path / "known hosts", tmp_path / "config"
    key = " ".join((sshd.folder / "key.pub").read_text().split()[:2])
    known.write_text(f"{'my-board' if alias else f'[127.0.0.1]:{sshd.port}'} {key}\nother {key}\n")
    config.write_text(f'UserKnownHostsFile "{known}"\nGlobalKnownHostsFile none\n{alias}')
    spec = replace(sshd.with_folder(tmp_path / "d"), config_file=str(config))
    error = failure(spec)
    assert type(error) is ssh_errors.HostKeyChanged
    command = (error.hint or "").partition("if you reinstalled it: ")[2].partition(", then")[0]
    subprocess.run(shlex.split(command), check=True, capture_output=True)
    assert known.read_text() == f"other {key}\n"
    assert type(failure(spec)) is ssh_errors.HostKeyUnknown


def test_a_key_with_a_passphrase_and_no_agent(  # type: ignore[no-untyped-def]
    sshd, login: Login, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = login('eval "$SSH_ORIGINAL_COMMAND"')
    key = str(spec.identity_file)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", key], check=True)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    error = failure(spec)
    assert type(error) is ssh_errors.PermissionDenied
    assert "has a passphrase and no agent holds it" in error.message
    assert f'eval "$(ssh-agent)"; ssh-add {key}' in (error.hint or "")
    assert key not in (error.kept or key)
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", tmp_path / "agent"],
                             stdout=subprocess.PIPE)  # fmt: skip
    assert agent.stdout is not None
    agent.stdout.readline()
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    (tmp_path / "ask").write_text("#!/bin/sh\necho secret\n")
    (tmp_path / "ask").chmod(0o755)
    asked = {**os.environ, "SSH_ASKPASS": str(tmp_path / "ask"), "SSH_ASKPASS_REQUIRE": "force"}
    subprocess.run(["ssh-add", key], env=asked, check=True, capture_output=True)
    transport = SshTransport(spec)
    assert transport.probe()["python"]
    transport.close()
    agent.terminate()
    agent.wait()
    agent.stdout.close()
