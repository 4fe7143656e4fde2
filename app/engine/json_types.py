"""The JSON values that cross Ferryman's edges."""

from typing import Any, TypeAlias

# JSON from outside has no static shape.
JSON: TypeAlias = Any
JsonObject: TypeAlias = dict[str, Any]
