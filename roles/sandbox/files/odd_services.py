# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Services of one quirk each, which only variants of the sandbox's service have."""

# No `from __future__ import annotations`: the SDK reads the annotations of handlers at run time.
import asyncio
import json
from datetime import timedelta
from typing import Any, Literal

from restate import (
    Context,
    InvocationRetryPolicy,
    Service,
    TerminalError,
    VirtualObject,
    Workflow,
    WorkflowContext,
)
from restate.serde import BytesSerde

Order = dict[str, Any]

# Quick, so that a test need not wait for a retry, and in effect without end: the server's default of 70
# attempts, after which it pauses, would be over in seconds.
RETRY_FOREVER = InvocationRetryPolicy(
    initial_interval=timedelta(milliseconds=50),
    exponentiation_factor=1.0,
    max_interval=timedelta(milliseconds=300),
    max_attempts=1_000_000,
)

PAUSE_AFTER_TWO = InvocationRetryPolicy(
    initial_interval=timedelta(milliseconds=10),
    exponentiation_factor=1.0,
    max_attempts=2,
    on_max_attempts="pause",
)


def basket(kind: Literal["object", "shared", "workflow"]) -> VirtualObject | Workflow:
    """Make `Basket`, whose `run` waits for an hour: a virtual object's exclusive or shared handler, or a workflow."""
    service: VirtualObject | Workflow = Workflow("Basket") if kind == "workflow" else VirtualObject("Basket")

    async def run(ctx: Context, _items: Order) -> str:
        await ctx.sleep(timedelta(hours=1))
        return kind

    if isinstance(service, Workflow):
        service.main("run")(run)
    else:
        service.handler("run", kind="shared" if kind == "shared" else "exclusive")(run)
    return service


def wide_service(handlers: int) -> Service:
    """Make `WideService` with as many handlers as asked, `handle_00` and so on."""
    service = Service("WideService")

    def add_handler(name: str) -> None:
        @service.handler(name)
        async def handle(_ctx: Context, entry: str) -> str:
            return entry

    for number in range(handlers):
        add_handler(f"handle_{number:02}")
    return service


def invoices() -> Service:
    """Make the service `Invoices`, which only the variant `extra-service` has."""
    service = Service("Invoices")

    @service.handler("issue")
    async def issue(_ctx: Context, order: str) -> str:
        return f"invoice for {order}"

    return service


def slow_starter(release: Literal[1, 2]) -> Service:
    """Make `SlowStarter`, whose handler `begin` does nothing for as many seconds as asked on release 1, and then
    enters its first step.
    """
    service = Service("SlowStarter", invocation_retry_policy=RETRY_FOREVER)

    @service.handler("begin")
    async def begin(ctx: Context, seconds: float) -> str:
        if release == 1:
            await asyncio.sleep(seconds)
        await ctx.sleep(timedelta(milliseconds=1))
        return f"begun by release {release}"

    return service


def failing_step() -> Service:
    """Make `FailingStep`, whose handler `take` fails in its only step, or, if asked, before it, again and again."""
    service = Service("FailingStep", invocation_retry_policy=RETRY_FOREVER)

    @service.handler("take")
    async def take(ctx: Context, where: str) -> str:
        def fail() -> None:
            raise RuntimeError("the step fails")

        if where == "before":
            raise RuntimeError("the handler fails")
        await ctx.run("step", fail)
        return "taken"

    return service


def compensating() -> Service:
    """Make `Compensating`, whose handler `take` waits for an hour and, if cancelled, for as many seconds as asked."""
    service = Service("Compensating")

    @service.handler("take")
    async def take(ctx: Context, seconds: float) -> None:
        try:
            await ctx.sleep(timedelta(hours=1))
        except TerminalError:
            await ctx.sleep(timedelta(seconds=seconds))
            raise

    return service


def cron(handler: str) -> Service:
    """Make `Cron`, whose one handler, of this name, calls itself again every hour; `other` is there always."""
    service = Service("Cron", invocation_retry_policy=PAUSE_AFTER_TWO)

    @service.handler(handler)
    async def tick(ctx: Context, number: int) -> int:
        argument = json.dumps(number + 1).encode()
        ctx.generic_send("Cron", handler, argument, send_delay=timedelta(hours=1))
        return number

    @service.handler("other")
    async def other(_ctx: Context) -> str:
        return "other"

    return service


def caller() -> Service:
    """Make `Caller`, whose handlers call a run of `OrderWorkflow`, attach to one, or send one-way calls."""
    service = Service("Caller")
    order = {"mode": "wait"}

    @service.handler("call")
    async def call(ctx: Context, key: str) -> str:
        answer = await ctx.generic_call("OrderWorkflow", "run", json.dumps(order).encode(), key)
        return answer.decode()

    @service.handler("tell")
    async def tell(ctx: Context, key: str) -> str:
        ctx.generic_send("OrderWorkflow", "run", json.dumps(order).encode(), key)
        await ctx.sleep(timedelta(hours=1))
        return "told"

    @service.handler("start")
    async def start(ctx: Context, order: Order) -> str:
        payload, headers = str(order["payload"]).encode(), order.get("headers")
        ctx.generic_send(order["service"], "run", payload, order["key"], headers=headers)
        return "started"

    @service.handler("attach")
    async def attach(ctx: Context, invocation_id: str) -> str:
        return str(await ctx.attach_invocation(invocation_id))

    return service


def forgetful_workflow() -> Workflow:
    """Make `ForgetfulWorkflow`, whose runs are forgotten as soon as they succeeded, while their state stays."""
    workflow = Workflow("ForgetfulWorkflow", invocation_retry_policy=RETRY_FOREVER)

    @workflow.main("run", workflow_retention=timedelta(0))
    async def run(ctx: WorkflowContext, _order: Order) -> str:
        ctx.set("step", "done")
        return "done"

    return workflow


def picky_workflow(name: str, accept: str) -> Workflow:
    """Make a workflow that accepts one content type, which may have a wildcard, and fails for good."""
    workflow = Workflow(name)

    @workflow.main("run", accept=accept, input_serde=BytesSerde())
    async def run(_ctx: WorkflowContext, _content: bytes) -> None:
        raise TerminalError("picky")

    return workflow


def inputless_workflow() -> Workflow:
    """Make `InputlessWorkflow`, which accepts no input, and fails for good."""
    workflow = Workflow("InputlessWorkflow")

    @workflow.main("run")
    async def run(_ctx: WorkflowContext) -> None:
        raise TerminalError("nothing to do")

    return workflow


def blob_workflow(accept: str = "*/*") -> Workflow:
    """Return a workflow that takes any bytes, by default of any content type, and fails for good."""
    workflow = Workflow("BlobWorkflow")

    @workflow.main("run", accept=accept, content_type="application/octet-stream", input_serde=BytesSerde())
    async def run(ctx: WorkflowContext, blob: bytes) -> None:
        ctx.set("size", len(blob))
        raise TerminalError("no room for blobs")

    return workflow
