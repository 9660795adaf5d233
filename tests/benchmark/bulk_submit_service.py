# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A virtual object that submits many invocations from within Restate, which costs a fraction of as many requests.

    bulk_submit_service.py PORT

serves it on 127.0.0.1:PORT until it is killed.
"""

# No `from __future__ import annotations`: the SDK reads the annotations of handlers at run time.
import asyncio
import json
import sys
from datetime import timedelta
from typing import Any

import restate
from hypercorn.asyncio import serve
from hypercorn.config import Config
from restate import ObjectContext, VirtualObject

bulk_submitter = VirtualObject("BulkSubmitter")


@bulk_submitter.handler()
async def submit(ctx: ObjectContext, order: dict[str, Any]) -> int:
    """Send `argument` to `handler` of `service` for each of `keys`, and give their number.

    The invocations start after `delay` seconds.
    """
    argument = json.dumps(order["argument"]).encode()
    delay = timedelta(seconds=order["delay"]) if order["delay"] else None
    for key in order["keys"]:
        ctx.generic_send(order["service"], order["handler"], argument, key=key, send_delay=delay)
    return len(order["keys"])


def main() -> None:
    """Serve until the end of the process."""
    config = Config()
    config.bind = [f"127.0.0.1:{int(sys.argv[1])}"]
    application: Any = restate.app([bulk_submitter])
    asyncio.run(serve(application, config))


if __name__ == "__main__":
    main()
