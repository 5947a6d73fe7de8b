"""What macOS lacks, taken away from our code (and from nothing else) in this very process.

Loaded by a .pth file of a made-up environment (`environment`), so that every interpreter which
starts from it is masked, workers and runners included. Each import statement in a file of ours gets
a view of the module in which Linux's calls are missing, or behave as macOS's do; paths under /proc
and /sys do not exist. Libraries see the real machine: theirs for macOS can't be run here.
"""

import builtins
import errno
import io
import os
import pathlib
import resource
import sys
import types
from pathlib import Path

_REAL_IMPORT = builtins.__import__
_OURS = ("profiler", "__main__")
_GONE = ("/proc", "/sys", "/dev/shm", "/etc/os-release")
ABSENT = {
    "os": (
        "sched_getaffinity", "sched_setaffinity", "sched_getparam", "sched_setscheduler",
        "posix_fadvise", "posix_fallocate", "POSIX_FADV_DONTNEED", "pipe2", "memfd_create",
        "eventfd", "pidfd_open", "copy_file_range", "splice", "fdatasync", "getrandom",
        "getxattr", "setxattr", "listxattr", "setns", "unshare", "O_TMPFILE", "O_PATH", "O_DIRECT",
        "setresuid", "getresuid",
    ),
    "fcntl": ("F_SETPIPE_SZ", "F_GETPIPE_SZ", "F_ADD_SEALS", "F_OFD_SETLK", "F_NOTIFY"),
    "resource": ("prlimit", "RUSAGE_THREAD", "RLIMIT_MSGQUEUE", "RLIMIT_RTPRIO", "RLIMIT_NICE"),
    "signal": ("pidfd_send_signal", "sigtimedwait", "sigwaitinfo", "SIGRTMIN", "SIGRTMAX",
               "SIGPWR", "SIGSTKFLT", "SIGPOLL"),
    "select": ("epoll", "EPOLLIN"),
    "socket": ("SOCK_CLOEXEC", "SOCK_NONBLOCK", "AF_NETLINK", "AF_VSOCK", "SO_PEERCRED"),
    "mmap": ("MADV_HUGEPAGE", "MADV_NOHUGEPAGE", "MADV_DONTFORK", "MAP_POPULATE"),
}  # fmt: skip


class View:
    """A module without some of its names, and with others in their place."""

    def __init__(self, real: types.ModuleType, absent: tuple[str, ...], changed: dict) -> None:
        self.__dict__.update(_real=real, _absent=absent, _changed=changed)

    def __getattr__(self, name: str):
        if name in self._changed:
            return self._changed[name]
        if name in self._absent:
            raise AttributeError(f"module {self._real.__name__!r} has no attribute {name!r}")
        return getattr(self._real, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._real, name, value)


def _checked(call):
    """The call, for which some places do not exist."""

    def wrapped(path, *rest, **more):
        text = os.fspath(path) if isinstance(path, str | os.PathLike) else ""
        if any(text == gone or text.startswith(f"{gone}/") for gone in _GONE):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), text)
        return call(path, *rest, **more)

    return wrapped


def _sendfile(out: int, source: int, offset: int, count: int) -> int:
    raise OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK))


def _killpg(group: int, number: int) -> None:
    """macOS refuses to signal a group of which only ended processes are left."""
    states = []
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/stat") as stat:
                fields = stat.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            states.append(fields[0])
    if states and set(states) == {"Z"}:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
    os.killpg(group, number)


def _getrusage(who: int) -> types.SimpleNamespace:
    """Linux counts memory in KiB here, macOS in bytes."""
    used = resource.getrusage(who)
    fields = {name: getattr(used, name) for name in dir(used) if name.startswith("ru_")}
    return types.SimpleNamespace(**{**fields, "ru_maxrss": used.ru_maxrss * 1024})


class _Library:
    """The C library, for who asks it by name: no prctl."""

    def __init__(self, *arguments: object, **more: object) -> None:
        self._real = _REAL_IMPORT("ctypes").CDLL(*arguments, **more)

    def __getattr__(self, name: str):
        if name in ("prctl", "syscall", "sched_setaffinity", "posix_fadvise"):
            raise AttributeError(f"symbol not found: {name}")
        return getattr(self._real, name)


_FILES = {
    name: _checked(getattr(os, name))
    for name in ("open", "stat", "lstat", "scandir", "listdir", "access", "readlink")
}
CHANGED = {
    "os": {**_FILES, "sendfile": _sendfile, "killpg": _killpg, "uname": lambda: (
        os.uname_result(("Darwin", "mac", "24.1.0", "Darwin Kernel Version 24.1.0", "arm64"))
    )},
    "ctypes": {"CDLL": _Library},
    "resource": {"getrusage": _getrusage},
    "sys": {"platform": "darwin"},
    "platform": {
        "system": lambda: "Darwin", "machine": lambda: "arm64", "release": lambda: "24.1.0",
        "libc_ver": lambda *_: ("", ""), "mac_ver": lambda *_: ("15.1", ("", "", ""), "arm64"),
        "platform": lambda *_: "macOS-15.1-arm64-arm-64bit",
    },
}  # fmt: skip
_views: dict[str, View] = {}


def _view(module: types.ModuleType) -> types.ModuleType | View:
    name = module.__name__
    if name not in ABSENT and name not in CHANGED:
        return module
    if name not in _views:
        _views[name] = View(module, ABSENT.get(name, ()), CHANGED.get(name, {}))
    return _views[name]


def _import(name, *scopes, **more):
    module = _REAL_IMPORT(name, *scopes, **more)
    asking = ((scopes[0] if scopes else more.get("globals")) or {}).get("__name__", "")
    return _view(module) if asking.split(".")[0] in _OURS else module


def put_on() -> None:
    """Mask this process."""
    builtins.__import__ = _import
    # pathlib is what our code reads files with.
    pathlib.os = View(os, (), _FILES)
    pathlib.io = View(io, (), {"open": _checked(io.open)})


def environment(folder: Path, root: Path) -> Path:
    """Make an environment whose interpreter is masked and imports our code from `root`."""
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (folder / "pyvenv.cfg").write_text(f"home = {base.parent}\n")
    python.symlink_to(base)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    site = folder / "lib" / version / "site-packages"
    site.mkdir(parents=True)
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    lines = [root, *libraries, Path(__file__).parent, "import mac_mask; mac_mask.put_on()"]
    (site / "mac.pth").write_text("\n".join(map(str, lines)) + "\n")
    return python
