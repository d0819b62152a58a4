"""The web server in a thread of its own, so that the roof can start and end it."""

from __future__ import annotations

import socket
import threading

import uvicorn
from fastapi import FastAPI

from hearthwatch.errors import Unavailable

START_SECONDS = 60.0
STOP_SECONDS = 3


class WebServer:
    """Serves an application until stopped. ``port`` is the real one, also where 0 was asked for."""

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        self._socket = _listen(host, port)
        self.host = host
        self.port = int(self._socket.getsockname()[1])
        config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=STOP_SECONDS)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)

    @property
    def url(self) -> str:
        """Where a browser on this machine finds it."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host
        return f"http://{host}:{self.port}"

    @property
    def alive(self) -> bool:
        """Whether it serves."""
        return self._server.started and self._thread.is_alive()

    def start(self) -> None:
        """Begin to serve. Raises `Unavailable` when it does not come up."""
        self._thread.start()
        waited, pause = 0.0, threading.Event()
        while not self._server.started:
            if waited > START_SECONDS or not self._thread.is_alive():
                raise Unavailable("the web server did not start", where=self.url)
            pause.wait(0.05)
            waited += 0.05

    def stop(self) -> None:
        """Finish the requests that are running and end; harmless when it was never started."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout=STOP_SECONDS + 2)
        self._socket.close()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise Unavailable(f"cannot listen on {host}:{port}: {error.strerror}", where="port") from None
    listening.listen(256)
    return listening
