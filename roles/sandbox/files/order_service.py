# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The services that the sandbox registers with Restate: two releases of an order workflow, and variants with
a quirk each.

    order_service.py PORT VARIANT

serves the variant on 127.0.0.1:PORT until it is killed. `VARIANTS` has the names. With the environment variable
ORDER_SERVICE_REQUIRED_HEADER="name=value", every request without that header is answered with 403, discovery
included.
"""

# No `from __future__ import annotations`: the SDK reads the annotations of handlers at run time.
import asyncio
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Literal

import restate
from hypercorn.asyncio import serve
from hypercorn.config import Config
from odd_services import (
    PAUSE_AFTER_TWO,
    RETRY_FOREVER,
    Order,
    basket,
    blob_workflow,
    caller,
    compensating,
    cron,
    failing_step,
    forgetful_workflow,
    inputless_workflow,
    invoices,
    picky_workflow,
    slow_starter,
    wide_service,
)
from restate import (
    Context,
    ObjectContext,
    Service,
    TerminalError,
    VirtualObject,
    Workflow,
    WorkflowContext,
    WorkflowSharedContext,
)

AnyService = Service | VirtualObject | Workflow
Release = Literal[1, 2]

ledger = Service("Ledger")


@ledger.handler()
async def hold(ctx: Context, order: str) -> str:
    """Hold an amount for an hour."""
    await ctx.sleep(timedelta(hours=1))
    return f"held for {order}"


@ledger.handler()
async def record(_ctx: Context, entry: str) -> str:
    """Take an entry and give it back."""
    return entry


counter = VirtualObject("Counter")


@counter.handler()
async def add(ctx: ObjectContext, amount: int) -> int:
    """Add to the count of this key and give the sum."""
    total = (await ctx.get("count", type_hint=int) or 0) + amount
    ctx.set("count", total)
    return total


async def _take_order(ctx: WorkflowContext, order: Order, release: Release) -> str:
    mode = order.get("mode", "ok")
    ctx.set("step", "started")
    if mode == "fail":
        raise TerminalError("payment provider refused the card")
    if mode == "retry" and release == 1:
        raise RuntimeError("database is down")
    if mode == "wait":
        return str(await ctx.promise("approval", type_hint=str).value())
    if mode == "child":
        return await ctx.service_call(hold, arg=ctx.key())
    if mode == "slow":
        await ctx.sleep(timedelta(milliseconds=int(order["milliseconds"])))
    return f"done by release {release}"


def order_workflow(
    release: Release,
    *,
    await_approval: bool = True,
    other_journal: bool = False,
    private: bool | None = None,
) -> Workflow:
    """Make `OrderWorkflow`; `mode` in its input says how a run goes: ok, fail, retry, wait, child, slow
    (`milliseconds`).

    With `other_journal`, a run in mode wait begins with a timer, which does not fit the journal of a run of
    the usual code.
    """
    workflow = Workflow("OrderWorkflow", invocation_retry_policy=RETRY_FOREVER, ingress_private=private)

    @workflow.main("run")
    async def run(ctx: WorkflowContext, order: Order) -> str:
        if other_journal and order.get("mode") == "wait":
            await ctx.sleep(timedelta(milliseconds=1))
        return await _take_order(ctx, order, release)

    @workflow.handler("status")
    async def status(ctx: WorkflowSharedContext) -> str:
        return await ctx.get("step", type_hint=str) or "unknown"

    @workflow.handler("approve")
    async def approve(ctx: WorkflowSharedContext) -> None:
        await ctx.promise("approval", type_hint=str).resolve("approved")

    if await_approval:

        @workflow.handler("await_approval")
        async def wait_for_approval(ctx: WorkflowSharedContext) -> str:
            return str(await ctx.promise("approval", type_hint=str).value())

    return workflow


def payment_workflow(release: Release) -> Workflow:
    """Make `PaymentWorkflow`, whose run fails twice and is then paused on release 1, and succeeds on release 2."""
    workflow = Workflow("PaymentWorkflow", invocation_retry_policy=PAUSE_AFTER_TWO)

    @workflow.main("run")
    async def run(ctx: WorkflowContext, _payment: Order) -> str:
        ctx.set("step", "started")
        if release == 1:
            raise RuntimeError("bank gateway timed out")
        return f"paid by release {release}"

    return workflow


def order_service() -> Service:
    """Make `OrderWorkflow` as a plain service: a change of type that Restate calls breaking."""
    service = Service("OrderWorkflow")

    @service.handler("run")
    async def run(_ctx: Context, _order: Order) -> str:
        return "done by a plain service"

    return service


def _release(number: Release, order: AnyService | None = None) -> list[AnyService]:
    return [order or order_workflow(number), payment_workflow(number), ledger, counter]


VARIANTS: dict[str, Callable[[], list[AnyService]]] = {
    "release-1": lambda: _release(1),
    "release-2": lambda: _release(2),
    "type-changed": lambda: _release(2, order_service()),
    "handler-removed": lambda: _release(2, order_workflow(2, await_approval=False)),
    "extra-service": lambda: [*_release(2), invoices()],
    "order-only": lambda: [order_workflow(2)],
    "ledger-only": lambda: [ledger],
    "order-and-ledger": lambda: [order_workflow(2), ledger],
    "many-handlers": lambda: [wide_service(40), order_workflow(2)],
    "zero-retention": lambda: [forgetful_workflow()],
    "journal-changed": lambda: _release(2, order_workflow(2, other_journal=True)),
    "callers": lambda: [*_release(2), caller()],
    "started-by-handlers": lambda: [
        caller(),
        order_workflow(1),
        blob_workflow(),
        inputless_workflow(),
        picky_workflow("VendorWorkflow", "application/vnd.shop+json"),
        picky_workflow("ImageWorkflow", "image/*"),
    ],
    "blobs": lambda: [blob_workflow()],
    "blobs-as-json": lambda: [blob_workflow("application/json")],
    "basket-object": lambda: [basket("object"), ledger],
    "basket-shared": lambda: [basket("shared"), ledger],
    "basket-workflow": lambda: [basket("workflow"), ledger],
    "slow-start-1": lambda: [slow_starter(1)],
    "slow-start-2": lambda: [slow_starter(2)],
    "cron": lambda: [cron("tick")],
    "cron-renamed": lambda: [cron("tock")],
    "compensating": lambda: [compensating()],
    "failing-step": lambda: [failing_step()],
    "private": lambda: _release(2, order_workflow(2, private=True)),
}
"""What each variant serves, by name."""


def guarded(application: Any, name: str, value: str) -> Any:
    """Wrap an ASGI application so that it answers 403 to requests without the header `name: value`."""
    wanted = (name.lower().encode(), value.encode())

    async def guard(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and wanted not in [
            (key.lower(), given) for key, given in scope["headers"]
        ]:
            await send(
                {"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]}
            )
            await send({"type": "http.response.body", "body": b"a required header is missing"})
        else:
            await application(scope, receive, send)

    return guard


def main() -> None:
    """Serve what the command line names until the end of the process."""
    port, variant = int(sys.argv[1]), sys.argv[2]
    application: Any = restate.app(VARIANTS[variant]())
    if required := os.environ.get("ORDER_SERVICE_REQUIRED_HEADER"):
        name, _, value = required.partition("=")
        application = guarded(application, name, value)
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    asyncio.run(serve(application, config))


if __name__ == "__main__":
    main()
