"""Draw the diagrams beside this file: ``python docs/diagrams/draw.py``. A test holds that they are drawn anew."""

import tomllib
from pathlib import Path
from xml.sax.saxutils import escape

_HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"
     role="img" aria-labelledby="title" font-family="system-ui, sans-serif" font-size="13" fill="#1f2937">
  <title id="title">{title}</title>
  <defs>
    <marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">
      <path d="M0,0 L8,4 L0,8 z" fill="#4b5563"/>
    </marker>
  </defs>
  <rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>
"""
_COLOURS = {
    "blue": ("#eef2ff", "#6366f1"),
    "green": ("#ecfdf5", "#10b981"),
    "orange": ("#fff7ed", "#f97316"),
    "red": ("#fef2f2", "#ef4444"),
    "grey": ("#f3f4f6", "#6b7280"),
}
_SMALL = 'font-size="11" fill="#4b5563"'


class Drawing:
    """The elements of one diagram, in the order in which they are drawn."""

    def __init__(self, title: str, width: int, height: int) -> None:
        self._parts = [_HEAD.format(title=title, width=width, height=height)]

    def box(self, area: tuple[float, int, float, int], label: str, *, under: str = "", colour: str = "blue") -> None:
        """Draw a box with a label, and a line under the label. Without that line the label is a name of the code."""
        x, y, width, height = area
        fill, stroke = _COLOURS[colour]
        middle, baseline = x + width / 2, y + height / 2 + 4.5
        style = 'font-weight="600"' if under else 'font-family="ui-monospace, monospace" font-size="11"'
        self._add(
            f'<rect x="{x:g}" y="{y}" width="{width:g}" height="{height}" rx="5" fill="{fill}" stroke="{stroke}"/>'
        )
        self._text(middle, baseline - (8 if under else 0), label, f'text-anchor="middle" {style}')
        if under:
            self._text(middle, baseline + 8, under, f'text-anchor="middle" {_SMALL}')

    def frame(self, area: tuple[int, int, int, int], label: str) -> None:
        """Draw a dashed frame around what belongs together."""
        x, y, width, height = area
        self._add(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" fill="none" stroke="#9ca3af" '
            'stroke-dasharray="4 3"/>'
        )
        self._text(x + 10, y + 17, label, _SMALL)

    def arrow(self, path: str, *, moves: str = "", dashed: bool = False) -> None:
        """Draw an arrow, and note the moves between statuses that it stands for."""
        more = ' stroke-dasharray="5 3"' * dashed + f' data-moves="{escape(moves)}"' * bool(moves)
        self._add(f'<path d="{path}" fill="none" stroke="#4b5563" marker-end="url(#tip)"{more}/>')

    def note(self, x: float, y: float, text: str, *, anchor: str = "middle") -> None:
        """Write a small text, such as beside an arrow."""
        self._text(x, y, text, f'text-anchor="{anchor}" {_SMALL}')

    def svg(self) -> str:
        """Return the diagram's text."""
        return "".join(self._parts) + "</svg>\n"

    def _text(self, x: float, y: float, text: str, style: str) -> None:
        self._add(f'<text x="{x:g}" y="{y:g}" {style}>{escape(text)}</text>')

    def _add(self, element: str) -> None:
        self._parts.append(f"  {element}\n")


def draw_layers(pyproject: Path) -> str:
    """Draw the layers of app as import-linter knows them."""
    notes = {
        "wsgi": "entry points",
        "demo": "the demonstration",
        "client": "clients of the API",
        "stack": "the embedded servers and processes",
        "serving": "the HTTP server",
        "bootstrap": "names the concrete classes",
        "ui": "the dashboard",
        "api": "the edges: HTTP, Postgres, Celery, Redis",
        "services": "order and transactions",
        "formats": "records as files",
        "engine": "decisions, without I/O; addresses",
        "settings": "what a process knows of itself",
        "broker_urls": "what settings say",
        "numerals": "numbers as people write them",
    }
    colours = {"bootstrap": "orange", "services": "green", "engine": "green", "net": "green"}
    contracts = tomllib.loads(pyproject.read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract.get("containers") == ["app"])
    drawing = Drawing("The layers of app: a module imports from the layers below its own", 950, 38 * len(layers) + 32)
    for number, layer in enumerate(layers):
        y, names = 20 + 38 * number, layer.split(" | ")
        width = (640 - 8 * (len(names) - 1)) / len(names)
        for place, name in enumerate(names):
            drawing.box((20 + place * (width + 8), y, width, 30), name, colour=colours.get(name, "blue"))
        drawing.note(672, y + 19, notes.get(names[0], ""), anchor="start")
    drawing.arrow(f"M10,20 L10,{38 * len(layers) + 12}")
    return drawing.svg()


def draw_run_path() -> str:
    """Draw what happens to a run, from its request to its end."""
    drawing = Drawing("The path of a run", 720, 454)
    for x, label in ((20, "API"), (260, "Postgres"), (500, "broker")):
        drawing.frame((x, 20, 200, 90), label)
    drawing.box((35, 45, 170, 52), "POST /sync-job-run", under="validate, plan")
    drawing.box((275, 45, 170, 52), "run and outbox", under="one transaction", colour="green")
    drawing.box((515, 45, 170, 52), "start_run", under="queue daemon-group.<key>", colour="orange")
    drawing.frame((20, 150, 680, 210), "daemon")
    drawing.box((535, 180, 145, 52), "start", under="run is running")
    drawing.box((365, 180, 145, 52), "plan units", under="parents, deliveries")
    drawing.box((195, 180, 145, 52), "lease a unit", under="fencing token")
    drawing.box((35, 180, 135, 52), "fetch pages", under="limits, retries")
    drawing.box((35, 285, 135, 52), "read the answer", under="records, next page")
    drawing.box((195, 285, 145, 52), "write the page", under="rows, events, cursor", colour="green")
    drawing.box((365, 285, 145, 52), "send events", under="signed, in order")
    drawing.box((535, 285, 145, 52), "settle", under="counters, status", colour="green")
    again = "dispatches again what was lost, wakes timers, settles, rescues, prunes"
    drawing.box((20, 390, 680, 44), "sweeper: one leader among the daemons", under=again, colour="grey")
    for path in (
        *("M205,71 L273,71", "M445,71 L513,71", "M605,110 L605,178", "M535,206 L512,206", "M365,206 L342,206"),
        *("M195,206 L172,206", "M100,232 L100,283", "M170,311 L193,311", "M340,311 L363,311", "M510,311 L533,311"),
        "M268,285 L268,234",
    ):
        drawing.arrow(path)
    drawing.note(276, 262, "next page, or hand back", anchor="start")
    for x in (268, 608):
        drawing.arrow(f"M{x},390 L{x},339", dashed=True)
    return drawing.svg()


def draw_run_states() -> str:
    """Draw the statuses of a run and the moves between them."""
    drawing = Drawing("The states of a run and the moves between them", 740, 340)
    drawing.frame((20, 20, 520, 130), "live")
    drawing.frame((20, 220, 700, 100), "ended")
    drawing.box((40, 65, 110, 44), "created")
    drawing.box((210, 65, 110, 44), "running")
    drawing.box((400, 65, 120, 44), "rate_limited")
    drawing.box((210, 250, 110, 44), "completed", colour="green")
    drawing.box((405, 250, 110, 44), "failed", colour="red")
    drawing.box((580, 250, 110, 44), "stopped", colour="grey")
    drawing.arrow("M150,87 L208,87", moves="created>running")
    drawing.note(179, 80, "start")
    drawing.arrow("M320,78 L398,78", moves="running>rate_limited")
    drawing.note(359, 72, "limit reached")
    drawing.arrow("M400,98 L322,98", moves="rate_limited>running")
    drawing.note(359, 113, "wait over")
    drawing.arrow("M265,109 L265,248", moves="running>completed")
    drawing.note(257, 205, "books balance", anchor="end")
    drawing.arrow("M430,109 L310,248", moves="rate_limited>completed")
    drawing.arrow("M460,150 L460,248", moves="created>failed running>failed rate_limited>failed")
    drawing.note(467, 205, "an error ends it", anchor="start")
    drawing.arrow("M540,85 L635,85 L635,248", moves="created>stopped running>stopped rate_limited>stopped")
    drawing.note(642, 205, "a user stops it", anchor="start")
    drawing.arrow("M95,220 L95,111", moves="completed>created failed>created stopped>created")
    drawing.note(102, 175, "a user resumes it", anchor="start")
    return drawing.svg()


def draw_unit_states() -> str:
    """Draw the statuses of a unit and the moves between them."""
    drawing = Drawing("The states of a unit and the moves between them", 740, 360)
    drawing.frame((20, 20, 600, 190), "live")
    drawing.frame((20, 260, 700, 80), "ended")
    drawing.box((40, 95, 100, 44), "blocked")
    drawing.box((250, 95, 100, 44), "ready")
    drawing.box((470, 95, 100, 44), "leased")
    drawing.box((380, 160, 80, 36), "idle")
    drawing.box((40, 280, 100, 44), "failed", colour="red")
    drawing.box((345, 280, 110, 44), "cancelled", colour="grey")
    drawing.box((500, 280, 110, 44), "done", colour="green")
    drawing.arrow("M140,117 L248,117", moves="blocked>ready")
    drawing.note(194, 110, "receiver ready")
    drawing.arrow("M350,109 L468,109", moves="ready>leased leased>leased")
    drawing.note(409, 102, "lease")
    drawing.arrow("M470,127 L352,127", moves="leased>ready")
    drawing.note(411, 143, "hand back")
    drawing.arrow("M520,95 L520,60 L90,60 L90,93", moves="leased>blocked")
    drawing.note(305, 54, "four batches ahead of the receiver")
    drawing.arrow("M520,139 L520,178 L462,178", moves="leased>idle")
    drawing.note(491, 172, "no event")
    drawing.arrow("M380,178 L325,178 L325,141", moves="idle>ready")
    drawing.note(353, 172, "an event")
    drawing.arrow("M555,139 L555,278", moves="leased>done")
    drawing.note(562, 240, "last page, last event", anchor="start")
    drawing.arrow("M400,210 L400,278", moves="blocked>cancelled idle>cancelled ready>cancelled leased>cancelled")
    drawing.note(407, 240, "the run ends", anchor="start")
    drawing.arrow("M75,260 L75,141", moves="cancelled>blocked failed>blocked")
    drawing.note(82, 232, "a resume", anchor="start")
    drawing.arrow("M220,260 L285,141", moves="done>ready failed>ready cancelled>ready")
    drawing.note(215, 250, "deliveries", anchor="end")
    return drawing.svg()


def draw_all() -> dict[str, str]:
    """Return every diagram by the name of its file."""
    return {
        "layers.svg": draw_layers(Path(__file__).parents[2] / "pyproject.toml"),
        "run-path.svg": draw_run_path(),
        "run-states.svg": draw_run_states(),
        "unit-states.svg": draw_unit_states(),
    }


if __name__ == "__main__":
    for name, svg in draw_all().items():
        (Path(__file__).parent / name).write_text(svg)
