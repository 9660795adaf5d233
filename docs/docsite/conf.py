# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How Sphinx builds the site; scripts/site.sh puts the sources together."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

project = "dalp.restate"
copyright = "the dalp.restate contributors"
title = html_title = html_short_title = "dalp.restate"

extensions = ["myst_parser", "sphinx_antsibull_ext"]
# A heading can be linked by its text, as on GitHub.
myst_heading_anchors = 3

html_theme = "sphinx_ansible_theme"
html_theme_options = {"documentation_home_url": "index.html", "vcs_pageview_mode": "blob"}
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_use_index = False
html_use_modindex = False
pygments_style = "ansible"
highlight_language = "text"

# Labels of Ansible's own documentation that the pages of modules name. Looking them up there would need the network.
ANSIBLE = "https://docs.ansible.com/ansible/latest"
LABELS = {
    "action_plugins": f"{ANSIBLE}/plugins/action.html#action-plugins",
    "ansible_configuration_settings": f"{ANSIBLE}/reference_appendices/config.html",
    "common_return_values": f"{ANSIBLE}/reference_appendices/common_return_values.html",
}


def link_of_label(_app: Sphinx, _env: Any, reference: Any, shown: nodes.Node) -> nodes.Node | None:
    """Return the link of a label that this site does not have, or None where it is not known either."""
    url = LABELS.get(reference.get("reftarget", ""))
    return nodes.reference("", "", shown, refuri=url, internal=False) if url else None


def setup(app: Sphinx) -> None:
    """Have Sphinx ask for labels that it does not know."""
    app.connect("missing-reference", link_of_label)
