"""What is wrong with where records land: typed views in Ferryman's own Postgres, and destinations."""

from collections.abc import Iterator

from app.services.diagnosis.findings import Finding, Installation, Severity


def check_views(installation: Installation) -> Iterator[Finding]:
    """Find rights that Ferryman's role lacks for views and their readers."""
    assert installation.fleet is not None
    if count := installation.fleet.facts.views_failing:
        yield Finding(
            check="views",
            severity=Severity.WARNING,
            message=f"{count} views or readers' roles can not be made",
            why="typed columns are not shown, or nobody may read them; records are kept as always",
            fix="'ferryman schema list' and 'show ID' say why in view_error and reader_error: grant what they name",
        )


def check_destinations(installation: Installation) -> Iterator[Finding]:
    """Find destinations that fail, by what they fail with."""
    assert installation.fleet is not None
    failing = installation.fleet.facts.destinations_failing
    if failing:
        codes = ", ".join(f"{code} ({count})" for code, count in sorted(failing.items()))
        yield Finding(
            check="destinations",
            severity=Severity.WARNING,
            message=f"destinations fail: {codes}",
            why="their records wait in Postgres, which grows",
            fix="'ferryman destination list' and 'show ID' say why in words; then 'ferryman destination resume ID'",
        )
