"""A report as an SVG picture: a panel for each figure, ours as a line, the floor dashed."""

from __future__ import annotations

from html import escape
from typing import Any

from bench.results import number

PANEL_W, PANEL_H = 300, 240
LEFT, RIGHT, TOP, BOTTOM = 58, 16, 52, 40
A_ROW = 3
HEADER = 46

STYLE = """
text { font: 12px sans-serif; fill: #24292f }
.small { font-size: 11px; fill: #57606a }
.title { font-size: 14px; font-weight: bold }
.axis { stroke: #57606a; fill: none } .grid { stroke: #d0d7de }
.ours { stroke: #0550ae; fill: none; stroke-width: 2 } .ours-dot { fill: #0550ae }
.floor { stroke: #bc4c00; fill: none; stroke-width: 2; stroke-dasharray: 6 4 }
.floor-dot { fill: #bc4c00 } .spread { stroke-width: 1 }
"""


def draw(found: Any) -> str:
    """The picture's text."""
    figures: dict[tuple[str, str], list[Any]] = {}
    for one in found["series"]:
        figures.setdefault((one["what"], one["unit"]), []).append(one)
    across = min(len(figures), A_ROW)
    down = -(-len(figures) // A_ROW)
    width, height = max(across * PANEL_W, 560), HEADER + down * PANEL_H
    machine = found["machine"]
    under = (
        "medians, least to most; solid: this system, dashed: floor; "
        f"{machine['cpus']} CPUs, {found['date']}"
    )
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">',
        f"<title>{escape(found['title'])}</title><style>{STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text class="title" x="12" y="22">{escape(found["title"])}</text>',
        f'<text class="small" x="12" y="40">{escape(under)}</text>',
    ]
    for index, ((what, unit), series) in enumerate(figures.items()):
        x, y = index % A_ROW * PANEL_W, HEADER + index // A_ROW * PANEL_H
        body.append(f'<g transform="translate({x} {y})">{_panel(what, unit, series)}</g>')
    return "\n".join([*body, "</svg>", ""])


def _panel(what: str, unit: str, series: list[Any]) -> str:
    spreads = [one[who] for one in series for who in ("ours", "floor") if one[who]]
    top = _round_up(max(spread["max"] for spread in spreads) or 1.0)
    plot_w, plot_h = PANEL_W - LEFT - RIGHT, PANEL_H - TOP - BOTTOM

    def x_of(index: int) -> float:
        return LEFT + plot_w * (index + 0.5) / len(series)

    def y_of(value: float) -> float:
        return TOP + plot_h * (1 - value / top)

    parts = [
        f'<text x="{LEFT}" y="22">{escape(what)}</text>',
        f'<text class="small" x="{LEFT}" y="40">{escape(unit)}</text>',
    ]
    for tick in range(5):
        value = top * tick / 4
        y = y_of(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{LEFT + plot_w}" y1="{y}" y2="{y}"/>')
        parts.append(
            f'<text class="small" x="{LEFT - 6}" y="{y + 4}" text-anchor="end">'
            f"{number(value) if value else 0}</text>"
        )
    parts.append(f'<path class="axis" d="M{LEFT} {TOP}V{TOP + plot_h}H{LEFT + plot_w}"/>')
    for index, one in enumerate(series):
        parts.append(
            f'<text class="small" x="{x_of(index):.1f}" y="{TOP + plot_h + 18}" '
            f'text-anchor="middle">{one["size"]:,}</text>'
        )
    for who, aside in (("floor", 3), ("ours", -3)):
        points = [(x_of(i) + aside, one[who]) for i, one in enumerate(series) if one[who]]
        line = " ".join(f"{x:.1f},{y_of(spread['median']):.1f}" for x, spread in points)
        parts.append(f'<polyline class="{who}" points="{line}"/>')
        for x, spread in points:
            low, middle, high = (y_of(spread[key]) for key in ("min", "median", "max"))
            parts.append(f'<path class="{who} spread" d="M{x:.1f} {low:.1f}V{high:.1f}"/>')
            parts.append(f'<circle class="{who}-dot" cx="{x:.1f}" cy="{middle:.1f}" r="3"/>')
    return "".join(parts)


def _round_up(value: float) -> float:
    """The next number with one digit that divides well; 1 where there is nothing to draw."""
    if value <= 0:
        return 1.0
    scale = 1.0
    while scale * 10 <= value:
        scale *= 10
    while scale > value:
        scale /= 10
    return next(step * scale for step in (1, 1.2, 1.6, 2, 3, 4, 6, 8, 10) if step * scale >= value)
