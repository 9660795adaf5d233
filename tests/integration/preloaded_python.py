# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Python interpreter for modules that has imported what costs most, and forks for each of them.

ansible-core gives a module as a program to an interpreter's standard input. Of a task's time, half would be the
start of that interpreter and its imports of httpx and pydantic. The program itself, with all of the collection and of
ansible.module_utils, is loaded anew each time, but what was compiled once is not compiled again: that would be half
of the rest.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

_CLIENT = """#!{python} -IS
import os, socket, sys
with socket.socket(socket.AF_UNIX) as forker:
    forker.connect({address!r})
    place = "\\0".join([os.getcwd(), *(name + "=" + value for name, value in os.environ.items())])
    socket.send_fds(forker, [len(place.encode()).to_bytes(4, "big")], [0, 1, 2])
    forker.sendall(place.encode())
    sys.exit(int(forker.recv(4) or b"1"))
"""


@contextlib.contextmanager
def preloaded_python() -> Iterator[str]:
    """Give the path of the interpreter, which works until the end of the context."""
    # Not at the top: the interpreter knows no more paths than any other.
    from owned_processes import OwnedProcesses
    from waiting import wait_until

    processes = OwnedProcesses("restate-python-")
    try:
        address = processes.directory / "socket"
        processes.spawn([sys.executable, __file__, str(address)], env=os.environ)
        wait_until("warm Python", address.exists)
        client = processes.directory / "python"
        client.write_text(_CLIENT.format(python=sys.executable, address=str(address)))
        client.chmod(0o700)
        yield str(client)
    finally:
        processes.close()


def main() -> None:
    """Serve on the socket that the command line names, until the end of the process."""
    address = Path(sys.argv[1])
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address) + ".new")
        listener.listen()
        _import()
        _compile_once(address.with_name("compiled"))
        address.with_name(address.name + ".new").rename(address)
        while True:
            client, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                if os.fork() == 0:
                    _run(client)
                os._exit(0)
            client.close()
            os.wait()


def _import() -> None:
    # What the collection imports, and what ansible.module_utils imports of the standard library.
    import concurrent.futures
    import http.client
    import runpy
    import subprocess
    import tempfile
    import zipfile

    import httpx
    import pydantic

    del concurrent, http, runpy, subprocess, tempfile, zipfile
    httpx.Client(verify=False).close()
    pydantic.create_model("Any")


def _compile_once(directory: Path) -> None:
    """Keep the bytecode of what comes out of a program's archive; an archive has none, and asks twice for each file."""
    import _imp
    import hashlib
    import marshal
    import zipimport
    from types import CodeType

    directory.mkdir()
    compiled_source = zipimport._compile_source  # type: ignore[attr-defined]

    @functools.cache
    def compiled(path: str, source: bytes) -> CodeType:
        kept = directory / hashlib.sha256(source).hexdigest()
        try:
            code: CodeType = marshal.loads(kept.read_bytes())
        except FileNotFoundError:
            code = compiled_source(path, source)
            unfinished = kept.with_suffix(f".{os.getpid()}")
            unfinished.write_bytes(marshal.dumps(code))
            unfinished.rename(kept)
        else:
            # The program is unpacked to another place each time.
            _imp._fix_co_filename(code, path)  # type: ignore[attr-defined]
        return code

    zipimport._compile_source = compiled  # type: ignore[attr-defined]


def _run(client: socket.socket) -> None:
    length, descriptors, _flags, _address = socket.recv_fds(client, 4, 3)
    place = b""
    while len(place) < int.from_bytes(length, "big"):
        place += client.recv(65536)
    directory, *environment = place.decode().split("\0")
    os.chdir(directory)
    os.environ.clear()
    os.environ.update({name: value for name, _, value in (pair.partition("=") for pair in environment)})
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    status = 1
    try:
        sys.argv = ["-"]
        program = open(0, closefd=False).read()  # noqa: SIM115
        exec(compile(program, "<stdin>", "exec"), {"__name__": "__main__", "__builtins__": __builtins__})
        status = 0
    except SystemExit as exc:
        status = exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
            client.sendall(b"%d" % status)
        os._exit(status)


if __name__ == "__main__":
    main()
