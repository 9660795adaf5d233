# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pictures of the site at the widths of a desk and of a phone, in .build/site/pictures, for a person to look at."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / ".build" / "site"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize(
    "name", ["index", "findings", "playbooks", "how-it-works", "reference/restate_cleanup_module"]
)
def test_a_page_is_drawn(name: str, width: int, tmp_path: Path) -> None:
    picture = SITE / "pictures" / f"{name.replace('/', '-')}-{width}.png"
    picture.parent.mkdir(exist_ok=True)
    picture.unlink(missing_ok=True)
    # Chromium has no sandbox of its own for root.
    own = ["--no-sandbox"] if os.geteuid() == 0 else []
    subprocess.run(
        [
            str(CHROMIUM),
            "--headless",
            *own,
            f"--user-data-dir={tmp_path}",
            f"--window-size={width},1400",
            f"--screenshot={picture}",
            f"file://{SITE}/html/{name}.html",
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    assert picture.stat().st_size > 10_000
