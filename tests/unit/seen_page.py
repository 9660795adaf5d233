# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a browser would make of a page."""

from __future__ import annotations

from html.parser import HTMLParser

TAGS = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "header",
        "nav",
        "main",
        "section",
        "article",
        "footer",
    ),
    *("h1", "h2", "h3", "p", "span", "ul", "li", "a", "dl", "dt", "dd", "code", "pre", "details", "summary"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "div"),
    *("svg", "desc", "line", "rect", "circle", "g", "text"),
}
ATTRIBUTES = {
    *(
        "lang",
        "charset",
        "http-equiv",
        "content",
        "name",
        "class",
        "id",
        "href",
        "scope",
        "style",
        "role",
        "tabindex",
    ),
    *("aria-label", "aria-labelledby", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "rx", "dx"),
    *("height", "text-anchor"),
}


class SeenPage(HTMLParser):
    """The elements, attributes and texts of a page."""

    def __init__(self, html: str) -> None:
        """Read a page."""
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element."""
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        """Keep a text."""
        self.text += data

    def values(self, attribute: str) -> list[str]:
        """Return all values of an attribute."""
        return [value for name, value in self.attributes if name == attribute]

    @property
    def foreign(self) -> set[str]:
        """The elements and attributes that our pages do not have."""
        return (set(self.tags) - TAGS) | ({name for name, _value in self.attributes} - ATTRIBUTES)
