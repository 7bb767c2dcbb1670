"""The picture itself: a scene, laid out, as one self-contained SVG without scripts.

It brings its own light ground, since a notebook shows it inside an <img>, where neither the colours of
the page nor its fonts are known.
"""

from __future__ import annotations

import hashlib
from typing import Final

from autograd.draw.layout import Layout, badge_width
from autograd.draw.routes import Point
from autograd.draw.scene import Frame, Scene
from autograd.draw.stage import Stage
from autograd.draw.text import escape, shorten, width

MARGIN: Final = 18.0
LEGEND: Final = 26.0
CAPTION: Final = 54.0
STYLE: Final = """
S text{font-family:sans-serif;font-size:13px;fill:#24292f}
S .ground{fill:#fffefb;stroke:#d0d7de}
S .wire{fill:none;stroke:#57606a;stroke-width:1.4;stroke-linecap:round}
S .strong{stroke:#24292f;stroke-width:3.4}
S .faint{stroke-dasharray:4 3;stroke-linecap:butt}
S .tip{fill:#57606a;stroke:none}
S .flow{fill:none;stroke:#cf222e;stroke-width:3.2;stroke-linecap:round}
S .glow{fill:#ffebe9;stroke:#cf222e;stroke-width:2.6}
S .gate{fill:#f6f8fa;stroke:#424a53;stroke-width:1.4}
S .gate.distributes{fill:#ddf4ff}
S .gate.routes{fill:#fbefff}
S .gate.switches{fill:#fff8c5}
S .leaf{fill:#fff;stroke:#424a53;stroke-width:1.4}
S .constant{fill:#fff;stroke:#6e7781;stroke-dasharray:3 2}
S .sign{font-size:15px;font-weight:600;text-anchor:middle}
S .role{font-size:10px;fill:#57606a;text-anchor:middle}
S .middle{text-anchor:middle}
S .name{font-weight:600;font-style:italic}
S .terms{fill:#a40e26;font-size:11px}
S .small{font-size:11px;fill:#57606a}
S .note{font-size:10px;fill:#57606a}
S .value{fill:#116329;font-weight:600}
S .gradient{fill:#a40e26;font-weight:600}
S .title{font-weight:600}
S .operation{fill:#fff;stroke:#57606a;stroke-width:1.3}
S .parameter{fill:#fff8c5;stroke:#7d4e00;stroke-width:1.3}
S .input{fill:#ddf4ff;stroke:#0550ae;stroke-width:1.3}
S .output{fill:#dafbe1;stroke:#116329;stroke-width:1.5}
S .inner{fill:none;stroke:#116329;stroke-width:1.1}
S .module{fill:#f4eefe;stroke:#6639ba;stroke-width:1.5}
S .frame{fill:#8250df;fill-opacity:.04;stroke:#8250df;stroke-opacity:.55;stroke-width:1.2}
S .framelabel{font-size:11px;fill:#512a97;font-weight:600}
S .halo{stroke:#fffefb;stroke-width:4;paint-order:stroke;stroke-linejoin:round}
S .badge{fill:#24292f}
S .badgetext{font-size:11px;fill:#fff;font-weight:600;text-anchor:middle}
S .zero{fill:#fff;stroke:#24292f;stroke-dasharray:2 2}
S .zerotext{font-size:11px;text-anchor:middle}
S .sigma{fill:#fff;stroke:#a40e26;stroke-width:1.3}
S .sigmatext{font-size:10px;fill:#a40e26;font-weight:700;text-anchor:middle}
""".strip()


def pt(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def text(x: float, y: float, content: str, kind: str) -> str:
    return f'<text class="{kind}" x="{pt(x)}" y="{pt(y)}">{escape(content)}</text>'


def line(*points: Point, kind: str = "wire") -> str:
    path = "L".join(f"{pt(x)} {pt(y)}" for x, y in points)
    return f'<path class="{kind}" d="M{path}"/>'


def flow(path: str) -> str:
    """Return the red line that runs back along a wire."""
    return f'<path class="flow" pathLength="1" d="{path}"/>'


def curve_path(curve: list[Point], tip: Point | None) -> str:
    start, *rest = curve
    path = f"M{pt(start[0])} {pt(start[1])}C" + " ".join(f"{pt(x)} {pt(y)}" for x, y in rest)
    return path + (f"L{pt(tip[0])} {pt(tip[1])}" if tip else "")


def arrow_tip(before: Point, tip: Point) -> str:
    (x0, y0), (x1, y1) = before, tip
    dx, dy = x1 - x0, y1 - y0
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    ux, uy = dx / length * 3.2, dy / length * 3.2
    corners = ((x1, y1), (x0 - uy, y0 + ux), (x0 + uy, y0 - ux))
    return f'<polygon class="tip" points="{" ".join(f"{pt(x)},{pt(y)}" for x, y in corners)}"/>'


def shape(kind: str, w: float, h: float) -> str:
    """Return the outline of a card: each kind has its own, so that it reads without colour."""
    points: tuple[Point, ...]
    match kind:
        case "parameter":
            d = min(11.0, h / 2)
            points = ((d, 0), (w - d, 0), (w, h / 2), (w - d, h), (d, h), (0, h / 2))
        case "input" | "constant":
            d = min(12.0, h / 2)
            points = ((d, 0), (w, 0), (w - d, h), (0, h))
        case "output":
            inner = f'<rect class="inner" x="3" y="3" width="{pt(w - 6)}" height="{pt(h - 6)}" rx="7"/>'
            return f'<rect class="output" width="{pt(w)}" height="{pt(h)}" rx="9"/>{inner}'
        case "module":
            return f'<rect class="module" width="{pt(w)}" height="{pt(h)}" rx="2"/>'
        case _:
            return f'<rect class="{kind}" width="{pt(w)}" height="{pt(h)}" rx="9"/>'
    return f'<polygon class="{kind}" points="{" ".join(f"{pt(x)},{pt(y)}" for x, y in points)}"/>'


def legend_items(scene: Scene) -> list[tuple[str, str, float]]:
    """Return kind, meaning and width of each item of the legend."""
    return [
        (kind, meaning, (26 if kind in SWATCHES else 0) + width(meaning, 11) + 18) for kind, meaning in scene.legend
    ]


SWATCHES: Final = frozenset(("parameter", "input", "operation", "output", "module", "strong", "constant"))


def draw_legend(scene: Scene, y: float) -> str:
    parts = []
    x = MARGIN
    for kind, meaning, wide in legend_items(scene):
        if kind == "strong":
            parts.append(line((x, y), (x + 20, y), kind="wire strong"))
        elif kind in SWATCHES:
            parts.append(f'<g transform="translate({pt(x)},{pt(y - 6)})">{shape(kind, 20, 12)}</g>')
        start = x + (26 if kind in SWATCHES else 0)
        parts.append(
            f'<text class="small {kind if kind in ("value", "gradient") else ""}" x="{pt(start)}" y="{pt(y + 4)}">'
            f"{escape(meaning)}</text>"
        )
        x += wide
    return "".join(parts)


def draw_frame(place: tuple[float, float, float, float]) -> str:
    x0, y0, x1, y1 = place
    return f'<rect class="frame" x="{pt(x0)}" y="{pt(y0)}" width="{pt(x1 - x0)}" height="{pt(y1 - y0)}" rx="8"/>'


def label_frame(frame: Frame, place: tuple[float, float, float, float]) -> str:
    """Return what is written on a frame, as much as fits, on top of the wires that cross it."""
    x0, y0, x1, _ = place
    room = x1 - x0 - 16
    parts = []
    if frame.repeats > 1:
        badge = f"×{frame.repeats:,}"
        w = badge_width(frame)
        plate = f'<rect class="badge" x="{pt(x1 - w - 5)}" y="{pt(y0 + 4)}" width="{pt(w)}" height="17" rx="8"/>'
        parts += [plate, text(x1 - w / 2 - 5, y0 + 16.5, badge, "badgetext")]
        room -= w + 6
    label = frame.label
    while label and width(label, 11) * 1.05 > room:
        label = shorten(label, len(label) - 1) if len(label) > 4 else ""
    note = frame.note
    after = width(f"{label} ", 11) * 1.05
    parts.append(text(x0 + 9, y0 + 16.5, label, "framelabel halo"))
    if note and after + width(note, 10) <= room:
        parts.append(text(x0 + 9 + after, y0 + 16.5, note, "note halo"))
    return "".join(parts)


def render(scene: Scene, layout: Layout, stage: Stage, captions: list[tuple[str, str]]) -> str:
    """Return the picture. `captions` has two lines for the start, for each step and for the end."""
    legend_width = sum(wide for _, _, wide in legend_items(scene)) - 18 if scene.legend else 0
    inner = max(layout.width, legend_width, width(scene.note, 11))
    for first, second in captions:
        inner = max(inner, width(first, 13) * 1.06, width(second, 13))
    w = inner + 2 * MARGIN
    left = MARGIN + (inner - layout.width) / 2
    extra = (LEGEND if scene.legend else 0) + (18 if scene.note else 0) + (CAPTION if captions else 0)
    h = layout.height + 2 * MARGIN + extra
    parts = []
    places = {frame.key: frame for frame in scene.frames}
    parts += [draw_frame(place) for place in layout.frames.values()]
    for wire, (curve, tip, spot) in zip(scene.wires, layout.wires, strict=True):
        path = curve_path(curve, tip)
        kind = "wire strong" if wire.strong else "wire faint" if wire.faint else "wire"
        parts.append(f'<path class="{kind}" d="{path}"/>')
        if tip:
            parts.append(arrow_tip(curve[-1], tip))
        parts.append(stage.during(wire.visit, flow(path)))
        if wire.note and spot:
            parts.append(
                f'<text class="note middle" x="{pt(spot[0])}" y="{pt(spot[1] + 3.5)}">{escape(wire.note)}</text>'
            )
        if wire.label and spot:
            parts.append(stage.since(wire.visit, text(spot[0], spot[1] + 13, wire.label, "terms")))
    parts += [label_frame(places[key], place) for key, place in layout.frames.items()]
    for box in scene.boxes:
        x, y = layout.boxes[box.key]
        hint = f"<title>{escape_lines(box.title)}</title>" if box.title else ""
        place = f"translate({pt(x - box.width / 2)},{pt(y - box.height / 2)})"
        parts.append(f'<g class="box {box.kind}-box" transform="{place}">{hint}{box.svg(stage)}</g>')
    body = f'<g transform="translate({pt(left)},{pt(MARGIN)})">{"".join(parts)}</g>'
    y = MARGIN + layout.height + MARGIN
    if scene.note:
        body += text(MARGIN, y + 6, scene.note, "small")
        y += 18
    if captions:
        body += draw_captions(stage, captions, y, w)
        y += CAPTION
    if scene.legend:
        body += draw_legend(scene, y + 4)
    scope = "g" + hashlib.blake2s(body.encode(), digest_size=6).hexdigest()
    style = STYLE.replace("S ", f".{scope} ") + "\n" + stage.style(scope)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{scope}" width="{w:.0f}" height="{h:.0f}" '
        f'viewBox="0 0 {w:.0f} {h:.0f}" role="img">'
        f"<title>{escape(scene.summary)}</title><style>{style}</style>"
        f'<rect class="ground" x=".5" y=".5" width="{w - 1:.0f}" height="{h - 1:.0f}" rx="10"/>{body}</svg>\n'
    )


def draw_captions(stage: Stage, captions: list[tuple[str, str]], y: float, w: float) -> str:
    """Return a line that parts them from the picture, and the caption of each moment."""
    parts = [f'<path d="M{MARGIN} {pt(y - 4)}H{pt(w - MARGIN)}" stroke="#d0d7de"/>']
    start, *steps, end = captions

    def lines(caption: tuple[str, str]) -> str:
        return text(MARGIN, y + 17, caption[0], "title") + text(MARGIN, y + 37, caption[1], "caption")

    for step, caption in enumerate(steps):
        parts.append(stage.during(step, lines(caption)))
    parts.append(stage.finished(lines(end)))
    if stage.animated:
        parts.append(f'<g class="during lead">{lines(start)}</g>')
    return "".join(parts)


def escape_lines(lines: list[str]) -> str:
    return "\n".join(escape(each) for each in lines)
