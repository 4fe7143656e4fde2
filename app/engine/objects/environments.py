"""The environment that everything is in unless another one is named."""

from typing import Final

DEFAULT_ENVIRONMENT: Final = "default"
