"""Shows measurements as a table for a terminal, and as one for a page."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.measurement import Figure, Measurement, Verdict

_COLOURS = {Verdict.MET: "green", Verdict.MISSED: "red", Verdict.SHOWN: "dim"}
_HEAD = ("scenario", "figure", "bar", "measured", "A/A noise", "verdict")


def show(console: Console, measurements: Sequence[Measurement]) -> None:
    """Print every figure beside its bar."""
    table = Table(*_HEAD, title="Ferryman's benchmark", title_justify="left")
    for measurement in measurements:
        for position, figure in enumerate(measurement.figures):
            *cells, verdict = _cells(measurement, figure, is_first=position == 0)
            colour = _COLOURS[figure.verdict]
            table.add_row(*map(escape, cells), f"[{colour}]{verdict}[/]")
        table.add_section()
    console.print(table)
    for measurement in measurements:
        for note in measurement.notes:
            console.print(f"[dim]{escape(measurement.scenario)}: {escape(note)}[/]")


def show_texts(console: Console, measurements: Sequence[Measurement]) -> None:
    """Print the longer findings, such as query plans."""
    for measurement in measurements:
        for title, text in measurement.texts.items():
            console.print(f"\n[bold]{escape(title)}[/]\n{escape(text)}", soft_wrap=True)


def markdown(measurements: Sequence[Measurement]) -> str:
    """Write the same table for a page."""
    rows: list[tuple[str, ...]] = [_HEAD, ("---", "---", "---", "--:", "--:", "---")]
    rows += [
        _cells(measurement, figure, is_first=position == 0)
        for measurement in measurements
        for position, figure in enumerate(measurement.figures)
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cells(measurement: Measurement, figure: Figure, *, is_first: bool) -> tuple[str, ...]:
    bar = f"{figure.bar.side} {number(figure.bar.limit, figure.unit)}" if figure.bar else ""
    noise = "" if figure.noise is None else f"± {figure.noise / 2:.1%}"
    verdict = "" if figure.verdict is Verdict.SHOWN else figure.verdict.value
    return (
        measurement.scenario if is_first else "",
        figure.name,
        bar,
        number(figure.value, figure.unit),
        noise,
        verdict,
    )


def number(value: float, unit: str) -> str:
    """Write a number with its unit, as exactly as its size deserves."""
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 20 else 2
    return f"{value:,.{digits}f} {unit}"
