"""The user's own broker, which a stack uses instead of running one."""

from typing import Final
from urllib.parse import urlsplit

from kombu import Connection

from app import broker_urls
from app.stack.data_directory import DataDirectory, write_private
from app.stack.errors import StackError

_PATIENCE_SECONDS: Final = 5


def check_broker(data: DataDirectory, url: str) -> None:
    """Store the URL for processes that join the stack; raise StackError unless a broker answers there."""
    data.broker_url_file.unlink(missing_ok=True)
    if not url:
        return
    try:
        address = broker_urls.read(url)
    except ValueError as error:
        raise StackError(f"BROKER_URL: {error}") from error
    if not broker_urls.is_redis(url) and not broker_urls.is_rabbitmq(url):
        raise StackError(
            "BROKER_URL: the stack is several processes: expected a Redis or a RabbitMQ that all can reach"
        )
    _check_answer(address)
    write_private(data.broker_url_file, url)


def read_url(data: DataDirectory) -> str | None:
    """Return the URL of the user's broker, while the stack runs."""
    try:
        return data.broker_url_file.read_text().strip()
    except FileNotFoundError:
        return None


def hide_login(url: str) -> str:
    """Return a broker's URL without its login."""
    return ";".join(_strip_login(one) for one in url.split(";"))


def _strip_login(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _check_answer(address: broker_urls.BrokerAddress) -> None:
    with Connection(address.url, ssl=address.tls or False, connect_timeout=_PATIENCE_SECONDS) as connection:
        try:
            # Redis is reached by the channel, RabbitMQ by the connection.
            connection.connect()
            connection.channel().close()
        except (OSError, *connection.connection_errors, *connection.channel_errors) as error:
            raise StackError(
                f"BROKER_URL: the broker at {hide_login(address.url)} can not be used ({' '.join(str(error).split())});"
                " see that it runs and takes this login, or unset BROKER_URL for one of the stack's own"
            ) from error
