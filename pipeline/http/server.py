"""The HTTP server as a service: it listens, and it ends in order."""

from __future__ import annotations

import asyncio
import errno
import secrets
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from typing import Any, cast

import structlog
from aiohttp import web

from pipeline.errors import ConfigInvalid
from pipeline.http.answers import COMMON_HEADERS, REQUEST_ID, refuse
from pipeline.http.app import make_app
from pipeline.http.deps import Deps
from pipeline.refusals import Internal, InvalidBody

log = structlog.get_logger()

_PORT_ERRORS = frozenset({errno.EADDRINUSE, errno.EACCES})
"""What another port would cure; anything else is the host's."""

SHUTDOWN_S = 3.0
"""How long requests in hand may take to end when the server stops."""

_CONNECTION: dict[str, Any] = {
    "access_log": None,
    # A compressed body is refused by its header; decompressing it first is what a bomb wants.
    "auto_decompress": False,
    # A connection without a complete request head for so long is closed, idle or dripping bytes alike.
    "keepalive_timeout": 30.0,
    # How long the rest of a refused body is read away, so that a reset does not swallow the refusal.
    "lingering_time": 2.0,
    # Bytes of the request line, bytes of one header, number of headers.
    "max_line_size": 8190,
    "max_field_size": 8190,
    "max_headers": 64,
}


class HttpServer:
    """Serves the API between ``start`` and ``stop``."""

    def __init__(self, deps: Deps) -> None:
        """Take what to serve; nothing listens yet."""
        self._deps = deps
        # A client that goes away ends its request. A submission may so lose its hint, never its stored task.
        self._runner = web.AppRunner(make_app(deps), handler_cancellation=True, shutdown_timeout=SHUTDOWN_S)
        self._listener: asyncio.Server | None = None
        self.url = ""
        """Where it can be reached from this machine, once started."""

    async def start(self) -> None:
        """Listen at ``api.host`` and ``api.port``.

        Raises:
            ConfigInvalid: this address cannot be listened at.
        """
        await self._runner.setup()
        api, loop = self._deps.settings.api, asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(self._connection, api.host, api.port, backlog=512)
        except OSError as error:
            await self._runner.cleanup()
            key = "api.port" if error.errno in _PORT_ERRORS else "api.host"
            raise ConfigInvalid(
                [
                    f"{key}: cannot listen at {api.host} port {api.port}: {error.strerror or error} "
                    "(无法监听该地址和端口)"
                ]
            ) from None
        host, port = self._listener.sockets[0].getsockname()[:2]
        self.url = f"http://{_local_name(host)}:{port}"
        log.info("listening", url=self.url)

    async def stop(self) -> None:
        """Take no new connections, let requests in hand end, refuse new ones on open connections."""
        self._deps.intake.close()
        self._deps.bus.close()
        if self._listener is not None:
            self._listener.close()
        await self._runner.cleanup()

    def _connection(self) -> web.RequestHandler:
        server = cast("web.Server", self._runner.server)  # there since the runner was set up
        return _Connection(server, loop=asyncio.get_running_loop(), **_CONNECTION)


class _Connection(web.RequestHandler):
    """One client's connection; what cannot be read as HTTP is answered in our envelope as well."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it may quote the request, and with it a token
    ) -> web.StreamResponse:
        """Answer what never came as far as a view."""
        request_id = secrets.token_hex(8)
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            log.debug("not an HTTP request", request_id=request_id, peer=request.remote, reason=type(exc).__name__)
            response = refuse(InvalidBody("this is not a well-formed HTTP request"), request_id)
        else:
            log.error("a request failed", request_id=request_id, exc_info=exc)
            response = refuse(Internal(), request_id)
        response.headers.update(COMMON_HEADERS)
        response.headers[REQUEST_ID] = request_id
        response.force_close()
        return response


def _local_name(host: str) -> str:
    """Write a listening address so that a client on this machine can use it."""
    address = ip_address(host)
    is_v6 = isinstance(address, IPv6Address)
    if address.is_unspecified:
        address = ip_address("::1" if is_v6 else "127.0.0.1")
    return f"[{address}]" if is_v6 else str(address)
