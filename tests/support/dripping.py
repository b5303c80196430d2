"""A server that keeps its caller waiting."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def dripping(greeting: bytes, *, endless: bool = True) -> Iterator[int]:
    """A port where one caller gets a greeting and then, if endless, a letter now and then."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                try:
                    connection.sendall(greeting)
                    for _ in range(200 if endless else 0):
                        connection.sendall(b"a")
                        time.sleep(0.05)
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(15)
