"""The page: one HTML file with its style, plots and pictures inside, that asks the network for nothing."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...runtime.errors import MissingExtraError
from ..metrics import FIGURES
from .content import Content, DatasetPart, EntrantPart, SequencePart
from .palette import SERIES_DARK, SERIES_LIGHT
from .plots import Plot

try:
    import jinja2
    import markupsafe
except ModuleNotFoundError as error:
    # Only its absence: a Jinja that is there and lacks a part of itself says so.
    if error.name not in ("jinja2", "markupsafe"):
        raise
    raise MissingExtraError("jinja2", "a report's page", "report") from None

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class DatasetView:
    """What the template asks about one dataset besides its values. `svgs` are ready elements."""

    part: DatasetPart
    svgs: tuple[markupsafe.Markup, ...]

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of all figures, in the order in which they are first given."""
        return tuple(dict.fromkeys(name for entrant in self.part.entrants for name in entrant.figures))

    @property
    def timed(self) -> list[EntrantPart]:
        return [entrant for entrant in self.part.entrants if entrant.latency]

    @property
    def drawn(self) -> tuple[str, ...]:
        """Names of the entrants whose boxes the pictures show."""
        seen = {name for moment in self.part.moments for name in moment.overlaps}
        return tuple(entrant.name for entrant in self.part.entrants if entrant.name in seen)

    @property
    def categories(self) -> bool:
        return any(row.category for row in self.part.rows)

    def is_best(self, name: str, figure: str) -> bool:
        """Whether no other entrant shows a higher value, where there is more than one to compare."""
        return _leads({e.name: e.figures[figure] for e in self.part.entrants if figure in e.figures}, name)

    def leads(self, row: SequencePart, name: str) -> bool:
        return _leads(row.values, name)


def render_page(content: Content, plots: Mapping[str, tuple[Plot, ...]]) -> str:
    """The HTML text. plots: by the name of the dataset."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        title_of=lambda name: FIGURES[name].title,
        meaning_of=lambda name: FIGURES[name].meaning,
        figure=lambda value: "–" if value is None else f"{value:.3f}",
        signed=lambda value: f"{value:+.3f}".replace("-", "−"),
        ms=lambda value: f"{value:,.2f}" if value < 10 else f"{value:,.1f}",
        ratio=lambda value: "–" if value is None else f"{value:.2f}",
        # A hash in full stands in the run's own record.
        shortened=lambda text: re.sub(r"\b([0-9a-f]{12})[0-9a-f]{20,}\b", r"\1…", text),
        base64=lambda data: base64.b64encode(data).decode("ascii"),
    )
    # The SVGs are matplotlib's own, with every label escaped by it.
    views = [
        DatasetView(part, tuple(markupsafe.Markup(p.svg()) for p in plots[part.name])) for part in content.datasets
    ]
    colors = {name: place % len(SERIES_DARK) for name, place in content.places.items()}
    return environment.get_template("report.html.j2").render(
        content=content, views=views, colors=colors, style=markupsafe.Markup(_style())
    )


def _style() -> str:
    """The style sheet with the series' colours of both grounds, and the ones that pictures are drawn in."""
    text = (_HERE / "style.css").read_text(encoding="utf-8")
    for mark, colors in (("@LIGHT@", SERIES_LIGHT), ("@DARK@", SERIES_DARK)):
        text = text.replace(mark, "\n".join(f"  --series-{i}: {color};" for i, color in enumerate(colors)))
    drawn = "\n".join(f".drawn-{i} {{ background: {color}; }}" for i, color in enumerate(SERIES_DARK))
    return f"{text}\n{drawn}"


def _leads(values: Mapping[str, float], name: str) -> bool:
    return len(values) > 1 and name in values and values[name] == max(values.values())
