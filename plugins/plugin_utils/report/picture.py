# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A picture of what is registered: a line for each service, a stop where a deployment serves it, the newest above."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from .texts import count, visible

LINES = 6
"""How many services have a line of their own; a picture of more is a picture of nothing."""
STATIONS = 12
_GAP, _EDGE, _ROW, _PAD = 22, 12, 22, 12
_WIDTH_OF_TEXT = 28
_LINES_OF_TEXT = 3
_PART = re.compile(rf"[^/ ]{{1,{_WIDTH_OF_TEXT - 1}}}[/ ]?|[/ ]")
"""What of a text stays on one line."""


@dataclass(frozen=True)
class Served:
    """A service at a deployment; of a planned one the revision is not known."""

    name: str
    revision: int | None = None
    is_latest: bool = False


@dataclass(frozen=True)
class Deployment:
    """A deployment, as a picture shows it. O(tone) is that of its state; O(is_there) is false once it is gone."""

    id: str
    url: str
    state: str
    tone: str
    pending: int | None = None
    services: t.Sequence[Served] = ()
    fate: str = ""
    fate_tone: str = ""
    is_there: bool = True


@dataclass(frozen=True)
class Row:
    """A row of text in a station."""

    text: str
    y: int
    style: str


@dataclass(frozen=True)
class Stop:
    """Where a station serves the service of a line."""

    line: int
    x: int
    y: int
    revision: str
    is_latest: bool


@dataclass(frozen=True)
class Station:
    """A deployment in its place."""

    deployment: Deployment
    y: int
    height: int
    rows: t.Sequence[Row]
    stops: t.Sequence[Stop]
    pending: str


@dataclass(frozen=True)
class Rail:
    """The line of a service, from its first stop to its last one."""

    line: int
    x: int
    top: int
    bottom: int


@dataclass(frozen=True)
class Picture:
    """All that is drawn, in pixels; what stands right of O(left) takes the width that there is."""

    description: str
    left: int
    height: int
    stations: t.Sequence[Station]
    rails: t.Sequence[Rail]
    left_out: str = field(default="")


def draw(deployments: t.Sequence[Deployment], what: str) -> Picture:
    """Return the picture of deployments, the newest first; O(what) says in which order of time it is."""
    drawn = _most_telling(deployments)
    lines = _lines(drawn)
    left = 2 * _EDGE + _GAP * max(len(lines) - 1, 0) if lines else 0
    stations: list[Station] = []
    y = 0
    for deployment in drawn:
        stations.append(_station(deployment, lines, y))
        y += stations[-1].height + _PAD
    rails = [rail for rail in (_rail(number, stations) for number in range(len(lines))) if rail]
    more = len(deployments) - len(drawn)
    left_out = f"{count(more, 'more deployment')} in the table below." if more else ""
    return Picture(_described(drawn, what), left, max(y - _PAD, 0), stations, rails, left_out)


def _most_telling(deployments: t.Sequence[Deployment]) -> list[Deployment]:
    """Return those that are drawn: what something happened to, or pends on, or serves; in their order."""
    ranked = sorted(
        range(len(deployments)),
        key=lambda place: (
            not deployments[place].fate,
            not deployments[place].pending,
            not any(each.is_latest for each in deployments[place].services),
        ),
    )
    return [deployments[place] for place in sorted(ranked[:STATIONS])]


def _lines(deployments: t.Sequence[Deployment]) -> list[str]:
    """Return the services that have a line: those that most deployments serve."""
    number: dict[str, int] = {}
    for each in deployments:
        for served in each.services:
            number[served.name] = number.get(served.name, 0) + 1
    return sorted(sorted(number, key=lambda name: (-number[name], name))[:LINES])


def _station(deployment: Deployment, lines: t.Sequence[str], top: int) -> Station:
    rows = [
        Row(text, top + 44 + 18 * number, style) for number, (text, style) in enumerate(_head(deployment))
    ]
    y = top + 44 + 18 * len(rows) + 6
    stops: list[Stop] = []
    for served in sorted(deployment.services, key=lambda each: each.name):
        if served.name in lines:
            stops.append(_stop(served, lines.index(served.name), y - 4))
            rows.append(Row(_name(served, deployment), y, "service"))
            y += _ROW
    more = len(deployment.services) - len(stops)
    if more:
        rows.append(Row(f"and {count(more, 'more service')}", y, "service"))
        y += _ROW
    pending = f"{deployment.pending:,} pending" if deployment.pending else ""
    return Station(deployment, top, y - top, rows, stops, pending)


def _head(deployment: Deployment) -> t.Iterator[tuple[str, str]]:
    """Yield what stands above the services of a deployment, each with its style."""
    yield from ((line, "url") for line in _wrapped(deployment.url))
    if deployment.id:
        yield _wrapped(deployment.id)[0], "id"
    if deployment.fate:
        yield from ((line, "fate") for line in _wrapped(deployment.fate))


def _stop(served: Served, number: int, y: int) -> Stop:
    revision = "new" if served.revision is None else str(served.revision)
    return Stop(number, _EDGE + _GAP * number, y, revision, served.is_latest)


def _name(served: Served, deployment: Deployment) -> str:
    latest = ", latest" if deployment.is_there else ", would be latest"
    return f"{_wrapped(served.name)[0]}{latest if served.is_latest else ''}"


def _wrapped(text: str) -> list[str]:
    """Return text in a few short lines: a picture does not break lines by itself."""
    lines = [""]
    for part in _PART.findall(visible(" ".join(text.split()))):
        if lines[-1] and len(lines[-1] + part.rstrip()) > _WIDTH_OF_TEXT:
            lines.append("")
        lines[-1] += part
    if len(lines) <= _LINES_OF_TEXT:
        return lines
    return [*lines[: _LINES_OF_TEXT - 1], f"{lines[_LINES_OF_TEXT - 1][: _WIDTH_OF_TEXT - 1]}…"]


def _rail(number: int, stations: t.Sequence[Station]) -> Rail | None:
    stops = [stop for station in stations for stop in station.stops if stop.line == number]
    return Rail(number, stops[0].x, stops[0].y, stops[-1].y) if stops else None


def _described(deployments: t.Sequence[Deployment], what: str) -> str:
    """Return the picture in words."""
    told = []
    for each in deployments:
        served = ", ".join(
            f"{one.name} {'new' if one.revision is None else f'revision {one.revision}'}{' (latest)' * one.is_latest}"
            for one in each.services[:LINES]
        )
        pending = f"; {each.pending} pending" if each.pending else ""
        told.append(f"{each.id or 'new'} at {each.url}: {each.fate or each.state}{pending}; {served}.")
    return " ".join([what, *told])
