import socket

import pytest

from app.stack.errors import StackError
from app.stack.sockets import listen


def test_listen_names_the_port_that_is_taken() -> None:
    with listen("127.0.0.1", 0, option="--port") as taken:
        port = taken.getsockname()[1]

        with pytest.raises(
            StackError, match=rf"can not listen on 127.0.0.1 port {port}: Address already in use; .* --port"
        ):
            listen("127.0.0.1", port, option="--port")


def test_listen_takes_a_port_that_was_just_in_use() -> None:
    with listen("127.0.0.1", 0, option="--port") as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            server.accept()[0].close()

    listen("127.0.0.1", port, option="--port").close()


def test_listen_raises_when_the_host_is_unknown() -> None:
    with pytest.raises(StackError, match=r"can not listen on no such host: "):
        listen("no such host", 0, option="--port")
