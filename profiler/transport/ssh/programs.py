"""What a device's shell and Python are told to run, and how it gets there past any login shell.

The login shell sees one short line without data in it, which all of them read alike (bash, dash,
zsh, fish, csh, tcsh, busybox). It says that it was reached: until then an rc file may wait, end, or
start something else, and nothing was sent that it could swallow. Then the program follows on stdin.
"""

from __future__ import annotations

import shlex
from functools import cache
from pathlib import Path

_MARK = r"\n\036profiler1 "
# `read` takes byte by byte, so that what follows on stdin is left to the program.
_START = (
    rf"""sh -c 'printf "{_MARK}{{\"started\": true}}\n"; """
    r"""IFS= read -r p && eval "$(printf %b "$p")"'"""
)
# An rc file may have gone elsewhere; `cd` alone goes home.
_COMMON = """cd 2>/dev/null
unset CDPATH
umask 077
python=$2
case $python in
"~/"*) python=$HOME/${python#??} ;;
/*) ;;
*/*) python=$HOME/$python ;;
esac
"""
# A folder that holds anything but ours is refused: `clean` removes the whole of it.
_PROBE = rf"""if [ -d "$1" ] && ! [ -f "$1/profiler-device" ] && [ -n "$(ls -A -- "$1")" ]; then
    printf '{_MARK}{{"failed": "foreign"}}\n'; exit 1; fi
# The nameplate first: another host that comes now must not find files without it.
mkdir -p -- "$1" && : >"$1/profiler-device" && mkdir -p -- "$1/blobs" "$1/packages" || {{
    printf '{_MARK}{{"failed": "folder"}}\n'; exit 1; }}
command -v "$python" >/dev/null || {{ printf '{_MARK}{{"failed": "python"}}\n'; exit 1; }}
exec "$python" -I -c "$3"
"""
# Must run, or at least be understood, on every Python there is: it says which one this is.
_PROBE_PYTHON = """import json, platform, sys, sysconfig
sys.stdout.write("\\n\\036profiler1 " + json.dumps({
    "python": list(sys.version_info[:3]), "architecture": platform.machine(),
    "libc": list(platform.libc_ver()), "abi": str(sysconfig.get_config_var("SOABI")),
    "implementation": platform.python_implementation()}) + "\\n")
"""
# The shell stays, to say how the worker ended: ssh's own 255 could as well be the link.
_SERVE = rf"""cd -- "$1" || exit 1
XDG_CACHE_HOME="$PWD/cache"; export XDG_CACHE_HOME # onnxruntime leaves files there
PROFILER_PACKAGES=${{4:+$PWD/packages/$4}}; export PROFILER_PACKAGES
"$python" -I -X utf8 "$PWD/blobs/$3" serve "$PWD"
printf '{_MARK}{{"ended": %d}}\n' "$?"
"""
_HELP = """helper=$3 operation=$4 folder=$1
shift 4
exec "$python" -I -S -X utf8 -c "$helper" "$operation" "$folder" "$@"
"""


def start(name: str) -> str:
    """The command line that ssh hands to the login shell; `name` tells a person there what it is.

    It says {"started": true}, then runs the line of `probe`, `serve` or `help_with` from stdin.
    """
    return f"{_START} profiler {name}"


def _line(code: str, *words: str) -> bytes:
    text = f"set -- {shlex.join(words)}\n{_COMMON}{code}"
    return text.replace("\\", "\\\\").replace("\n", "\\n").encode() + b"\n"


def probe(folder: str, python: str) -> bytes:
    """Make our folder and find the interpreter, which tells what it is."""
    return _line(_PROBE, folder, python, _PROBE_PYTHON)


def serve(folder: str, python: str, worker: str, packages: str) -> bytes:
    """Run the worker, a blob, with the packages that were brought ("": none)."""
    return _line(_SERVE, folder, python, worker, packages)


def help_with(folder: str, python: str, operation: str, *arguments: str) -> bytes:
    """Run an operation of `helper` on a folder of ours."""
    return _line(_HELP, folder, python, _helper(), operation, *arguments)


@cache
def _helper() -> str:
    return (Path(__file__).parent.parent / "helper.py").read_text(encoding="utf-8")
