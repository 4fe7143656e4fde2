"""How the demo's servers listen: ``--port N`` by hand, ``--fd N`` on a socket that their parent holds open."""

import argparse
import socket
from collections.abc import Sequence

from aiohttp import web


def serve(app: web.Application, arguments: Sequence[str] | None = None) -> None:
    """Serve on the loopback address that the command line names, until a signal ends it."""
    parser = argparse.ArgumentParser()
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", type=int, help="port to listen on")
    where.add_argument("--fd", type=int, help="descriptor of a listening socket")
    options = parser.parse_args(arguments)
    if options.fd is None:
        web.run_app(app, host="127.0.0.1", port=options.port, access_log=None, shutdown_timeout=1.0)
    else:
        web.run_app(app, sock=socket.socket(fileno=options.fd), access_log=None, shutdown_timeout=1.0)
