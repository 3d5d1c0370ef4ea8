"""A warm interpreter: libraries are imported once, and every task is forked from the process that holds them.

Importing TensorFlow costs more than most stages' own work. `python warm.py serve SOCKET MODULE...` imports the modules
and waits; `python warm.py run SOCKET -m MODULE ARGUMENT...` behaves as `python -m MODULE ARGUMENT...` would, in a
fresh child of that process: the caller's environment, folder, standard streams and exit status. No task sees another's
state, as nothing but imports ever ran in the parent. Standard library only: it runs in any environment.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import traceback
from typing import Any


def serve(path: str, modules: list[str]) -> None:
    """Import the modules, then fork a child for every request until standard input closes."""
    with open(os.devnull, "w") as devnull, contextlib.redirect_stderr(devnull):  # noqa: PTH123
        stderr = os.dup(2)
        os.dup2(devnull.fileno(), 2)
        for module in modules:
            __import__(module)
        os.dup2(stderr, 2)
        os.close(stderr)
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as server, selectors.DefaultSelector() as selector:
        server.bind(path)
        server.listen()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # for the tasks; this process ends with its standard input
        selector.register(server, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        while all(key.fileobj is server for key, _ in selector.select()):
            connection, _ = server.accept()
            if os.fork() == 0:
                server.close()
                _attend(connection)
            connection.close()


def _attend(connection: socket.socket) -> None:
    """In a child: run one task in a child of its own, and tell its exit status and resources."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    message, descriptors, _, _ = socket.recv_fds(connection, 1, 3)
    while not message.endswith(b"\n"):
        message += connection.recv(1 << 16)
    request = json.loads(message)
    worker = os.fork()
    if worker == 0:
        _work(request, descriptors)
    _, status, usage = os.wait4(worker, 0)
    reply = {
        "status": os.waitstatus_to_exitcode(status),
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss,
    }
    with contextlib.suppress(BrokenPipeError):  # who asked was interrupted
        connection.sendall(json.dumps(reply).encode())
    os._exit(0)


def _work(request: dict[str, Any], descriptors: list[int]) -> None:
    """Become ``python -m MODULE ARGUMENT...``."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for target, descriptor in enumerate(descriptors):
        os.dup2(descriptor, target)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    module, *arguments = request["arguments"]
    sys.argv = [module, *arguments]
    status = 0
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as leave:
        status = leave.code if isinstance(leave.code, int) else int(leave.code is not None)
        if isinstance(leave.code, str):
            print(leave.code, file=sys.stderr)  # noqa: T201
    except BaseException:
        traceback.print_exc()
        status = 1
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


def run(path: str, arguments: list[str]) -> int:
    """Have the warm interpreter run a task with this process's streams; returns its exit status."""
    request = {"arguments": arguments, "environment": dict(os.environ), "folder": os.getcwd()}  # noqa: PTH109
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        socket.send_fds(connection, [b"{"], [0, 1, 2])
        connection.sendall(json.dumps(request).encode()[1:] + b"\n")
        reply = json.loads(connection.makefile().read() or '{"status": 1}')
    if usage := os.environ.get("SLUICE_USAGE"):
        with open(usage, "w") as stream:  # noqa: PTH123
            json.dump(reply, stream)
    status = reply["status"]
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    command, where, *rest = sys.argv[1:]
    if command == "serve":
        serve(where, rest)
    else:
        sys.exit(run(where, rest[1:]))
