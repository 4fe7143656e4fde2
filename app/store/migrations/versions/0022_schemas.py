"""What is known of the columns of records, and how far in each account's log it was learned."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, UUID

revision = "0022"
down_revision = "0021"

_TIME = sa.DateTime(timezone=True)

# What each type of a column makes of a value: app/engine/schemas/values.py in SQL. They never raise, and name nothing
# but what every session finds, whatever its search_path. Each is one expression, so that Postgres puts it in place.
_TEXT = "(value #>> '{}')"
_IS_NUMBER = "jsonb_typeof(value) = 'number'"
_IS_STRING = "jsonb_typeof(value) = 'string'"
_IS_NUMBER_TEXT = (
    f"{_IS_STRING} and reads_text and length({_TEXT}) <= 1000"
    f" and {_TEXT} ~ '^-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]{{1,3}})?$'"
)
# From half a step above the largest double on, and up to half of the smallest one.
_TOO_LARGE = 2**1024 - 2**970
_TOO_SMALL = "2.4703282292062327e-324"
_YEAR, _MONTH, _DAY = (f"substr({_TEXT}, {start}, {length})::int" for start, length in ((1, 4), (6, 2), (9, 2)))
_IS_DATE = f"""
    {_IS_STRING} and {_TEXT} ~ '^(?!0000)[0-9]{{4}}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])%s$'
    and case when {_DAY} <= 28 then true
             when {_MONTH} = 2
             then {_DAY} = 29 and {_YEAR} %% 4 = 0 and ({_YEAR} %% 100 <> 0 or {_YEAR} %% 400 = 0)
             else {_DAY} <= 30 or {_MONTH} in (1, 3, 5, 7, 8, 10, 12) end
"""
_CLOCK = "[Tt ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\\.[0-9]+)?)?([Zz]|[+-]([01][0-9]|2[0-3]):?[0-5][0-9])?"
_SECONDS = f"coalesce(substring({_TEXT} from '^.{{16}}:([0-9]{{2}}(?:\\.[0-9]{{1,6}})?)'), '0')::float8"
_OFFSET = f"substring({_TEXT} from '[+-][0-9]{{2}}:?[0-9]{{2}}$')"
# Only behind the clock: a date ends in digits and hyphens too.
_LOCAL = f"""
    make_timestamp({_YEAR}, {_MONTH}, {_DAY}, substr({_TEXT}, 12, 2)::int, substr({_TEXT}, 15, 2)::int, {_SECONDS})
"""
_SHIFT = f"""
    case when {_OFFSET} is null then '0'::interval
         else make_interval(hours => left({_OFFSET}, 3)::int,
                            mins => (left({_OFFSET}, 1) || right({_OFFSET}, 2))::int) end
"""


def _fit_number(turn: str) -> str:
    """Return the expression that makes of a number, or a text that is read as one, what ``turn`` makes of a numeric."""
    return f"""
        case when {_IS_NUMBER} then {turn.format(number="value::numeric")}
             when {_IS_NUMBER_TEXT} then {turn.format(number=f"{_TEXT}::numeric")} end
    """


_FUNCTIONS = {
    "bool": f"""
        case when value = 'true' or (reads_text and {_IS_STRING} and {_TEXT} = 'true') then true
             when value = 'false' or (reads_text and {_IS_STRING} and {_TEXT} = 'false') then false end
    """,
    "bigint": _fit_number(
        "case when {number} between -9223372036854775808 and 9223372036854775807 and {number} = trunc({number})"
        " then ({number})::bigint end"
    ),
    "numeric": _fit_number("{number}"),
    "double precision": _fit_number(
        f"case when abs({{number}}) >= {_TOO_LARGE} then null when abs({{number}}) <= {_TOO_SMALL} then 0::float8"
        " else ({number})::float8 end"
    ),
    "date": f"case when {_IS_DATE % ''} then make_date({_YEAR}, {_MONTH}, {_DAY}) end",
    "timestamptz": f"""
        case when {_IS_DATE % ""} then make_timestamp({_YEAR}, {_MONTH}, {_DAY}, 0, 0, 0) at time zone 'UTC'
             when {_IS_DATE % _CLOCK} and {_LOCAL} - {_SHIFT} >= timestamp '0001-01-01'
                  and {_LOCAL} - {_SHIFT} < timestamp '10000-01-01'
             then ({_LOCAL} - {_SHIFT}) at time zone 'UTC' end
    """,
    "text": "case jsonb_typeof(value) when 'string' then value #>> '{}' when 'number' then value::text"
    " when 'boolean' then value::text end",
    "jsonb": "nullif(value, 'null')",
}
_ARGUMENTS = "value jsonb, reads_text boolean"


def _name_function(kind: str) -> str:
    return f"ferryman_{kind.split(maxsplit=1)[0]}"


_ID = UUID(as_uuid=False)


def _time(name: str) -> sa.Column[object]:
    return sa.Column(name, _TIME, nullable=False, server_default=sa.func.now())


def upgrade() -> None:
    op.create_table(
        "resource_schema",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("environment_id", _ID, sa.ForeignKey("environment.id"), nullable=False),
        sa.Column("integration_name", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("columns", JSONB(), nullable=False, server_default=sa.text("'[]'")),
        sa.Column("policy", sa.Text(), nullable=False, server_default="evolve"),
        sa.Column("left_out", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("version", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("view_schema", sa.Text()),
        sa.Column("view_name", sa.Text()),
        sa.Column("view_version", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("view_error", sa.Text()),
        sa.Column("view_at", _TIME),
        _time("created_at"),
        _time("updated_at"),
        sa.CheckConstraint("policy in ('evolve', 'notify', 'freeze')", name="resource_schema_policy"),
        sa.UniqueConstraint("environment_id", "integration_name", "resource", name="resource_schema_place"),
        sa.UniqueConstraint("view_schema", "view_name", name="resource_schema_view"),
        sa.Index("resource_schema_page", "environment_id", "created_at", "id"),
    )
    op.create_table(
        "resource_schema_change",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("schema_id", _ID, sa.ForeignKey("resource_schema.id", ondelete="CASCADE"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("column_name", sa.Text()),
        sa.Column("details", JSONB(), nullable=False),
        _time("created_at"),
        sa.Index("resource_schema_change_by_schema", "schema_id", "id"),
    )
    op.create_table(
        "schema_cursor",
        sa.Column("integrated_account_id", _ID, primary_key=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False, server_default="0"),
    )
    op.create_table(
        "environment_reader",
        sa.Column("environment_id", _ID, sa.ForeignKey("environment.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("error", sa.Text()),
        _time("created_at"),
        _time("updated_at"),
    )
    for kind, expression in _FUNCTIONS.items():
        # Not by op.execute, which would read what stands behind a colon as a parameter.
        op.get_bind().exec_driver_sql(
            f"create function {_name_function(kind)} ({_ARGUMENTS}) returns {kind} language sql immutable parallel safe"
            f" as $ferryman$ select {expression.replace('%', '%%')} $ferryman$"
        )


def downgrade() -> None:
    for kind in _FUNCTIONS:
        op.execute(f"drop function {_name_function(kind)} (jsonb, boolean)")
    for name in ("environment_reader", "schema_cursor", "resource_schema_change", "resource_schema"):
        op.drop_table(name)
