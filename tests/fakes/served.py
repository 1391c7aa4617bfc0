"""An ASGI app over real HTTP."""

import socket
import threading
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette

from infra.local.stripe.wire import CuttableProtocol


class Served:
    """A uvicorn of its own in a thread, on a free loopback port. `make_app` is told its address."""

    def __init__(self, make_app: Callable[[str], Starlette]) -> None:
        # Named as TCP, so that asyncio switches Nagle's algorithm off: 40 ms a call otherwise.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        self.base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(make_app(self.base), http=CuttableProtocol, ws="none", log_config=None)
        self._uvicorn = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._uvicorn.run, kwargs={"sockets": [listener]})

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._uvicorn.should_exit = True
        self._thread.join()
