"""What the document says of the API as a whole."""

from typing import Final

from app.engine.json_types import JsonObject
from app.version import find_version

_DESCRIPTION: Final = """\
Ferryman is a self-hosted sync engine: describe once what to pull from an API, run it safely for every customer.

A sync needs an **integration** (how a third party's API is spoken to), an **integrated account** of it (one customer's
credentials) and a **sync job** (what to pull). `POST /sync-job-run` runs the job for the account; the records are
persisted (`GET /record`) or sent to a webhook.

- **Tokens**: `Authorization: Bearer <token>`. A token belongs to one environment and has the role `read`, `run` or
  `admin`; each operation names the role that it needs, also as `x-role`.
- **Lists** answer `{"result": [...], "next_cursor": ..., "limit": ...}`; repeat with `next_cursor` until it is null.
  A filter `a=x` is also written `a[eq]=x`, or `a[in]=x,y` for any of several; times are narrowed by `created_at[gt]`,
  `[gte]`, `[lt]`, `[lte]`.
- **Errors** answer `{"statusCode", "error", "message", "details": {"failures": [{"path", "message"}]}}` and name every
  fault of a request at once.
- **Absent**: null stands for a field that is not there, unless the field is described otherwise; so does an empty text
  in a new run and in a trigger, and an empty query parameter.
"""


CONFIG: Final[JsonObject] = {
    "API_TITLE": "Ferryman",
    "API_VERSION": find_version(),
    "API_SPEC_OPTIONS": {
        "info": {
            "summary": "A self-hosted sync engine",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "contact": {"name": "Whoever operates this Ferryman"},
        },
        "security": [{"bearer": []}],
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An API token, or that of one account."}
            }
        },
    },
    "OPENAPI_VERSION": "3.1.0",
    "OPENAPI_URL_PREFIX": "/",
    "OPENAPI_JSON_PATH": "openapi.json",
}
