# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The version of a key's state, which lets a state call apply to exactly what was read."""

from __future__ import annotations

import base64
import hashlib


def state_version(entries: dict[str, bytes]) -> str:
    """Return the version that Restate computes for state entries (crates/types/src/state_mut.rs of v1.7.6).

    URL-safe base64 without padding of the SHA-256 over the pairs sorted by key, each as its index (8 bytes, big
    endian), 0x01, the key, 0x02, the value, 0x03.
    """
    digest = hashlib.sha256()
    for index, (key, value) in enumerate(sorted((key.encode(), value) for key, value in entries.items())):
        digest.update(index.to_bytes(8, "big") + b"\x01" + key + b"\x02" + value + b"\x03")
    return base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
