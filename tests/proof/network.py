# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The network between a task and a cluster: a proxy in front of each node, and one fault that begins at some call."""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random

from tests.integration.cluster import Cluster
from tests.integration.kills import Moment
from tests.integration.proxy import Answer, Fault, Forward, LostError, Proxy, Request, proxy_of

KINDS = ("freeze", "delay", "cut", "error")
"""What a fault does: hold all calls, hold one write, break connections, answer 500."""
PLACES = ("first", "other", "all")
"""Where: at the node that the task asks first, at one of the others, or at all."""
STARTS = ("start", "first write", "middle")
"""When it begins: before the first request, at the first write, at a call in the middle of the work."""
_FOREVER = 600.0
_DELIVERY_TIMEOUT = 60.0
_ANY_WRITE = Moment("", "")


@dataclass(frozen=True)
class NetworkFault:
    """One fault; with `when` after, the server acts on a call before its connection breaks or its answer is lost."""

    kind: str
    place: str
    start: str
    moment: Moment
    seconds: float
    """How long it lasts; a call that is held, and nobody delivers before, is delivered then."""

    def __str__(self) -> str:
        length = "for ever" if self.seconds == _FOREVER else f"for {self.seconds:.1f} s"
        return f"{self.kind} at {self.place}, from {self.start} ({self.moment}), {length}"


def choose_fault(random: Random, kind: str, place: str, moment: Moment) -> NetworkFault:
    """Choose when a fault of this kind begins and how long it lasts; `moment` is in the middle of the work."""
    start = random.choice(STARTS)
    if start == "first write":
        moment = replace(_ANY_WRITE, when=moment.when)
    length = random.choice((random.uniform(1, 4), random.uniform(16, 20), _FOREVER))
    if kind in ("freeze", "delay"):
        length = random.choice((random.uniform(4, 10), _FOREVER, _FOREVER))
    return NetworkFault(kind, place, start, moment, length)


class _HeldCall:
    """A call that was not delivered yet."""

    def __init__(self, request: Request, forward: Forward) -> None:
        self.request = request
        self._forward = forward
        self._lock = threading.Lock()
        self._is_settled = False
        self.settled = threading.Event()

    def deliver(self) -> None:
        """Let the server have it; nobody waits for its answer. A read is of no use to anybody any more."""
        with self._lock:
            if not self._is_settled:
                self._is_settled = True
                if self.request.writes:
                    with contextlib.suppress(LostError):
                        self._forward()
        self.settled.set()


class Network:
    """The proxies of the nodes' admin APIs and ingresses, by the nodes' names, in the order in which tasks ask them."""

    def __init__(self, admin: Mapping[str, Proxy], ingress: Mapping[str, Proxy]) -> None:
        self.admin_url = ",".join(proxy.url for proxy in admin.values())
        self.ingress_url = ",".join(proxy.url for proxy in ingress.values())
        self.started: Counter[str] = Counter()
        """How many runs of each key the ingresses have started."""
        self.has_begun = False
        self._lock = threading.Lock()
        self._fault: NetworkFault | None = None
        self._victims: set[str] = set()
        self._calls = 0
        self._ends_at = 0.0
        self._held: list[_HeldCall] = []
        self._first_held_at = 0.0
        self._names = list(admin)
        for proxies in (admin, ingress):
            for name, proxy in proxies.items():
                proxy.always = self._of(name)

    def _of(self, name: str) -> Fault:
        def meet(request: Request, forward: Forward) -> Answer:
            def record() -> Answer:
                answer = forward()
                self._record(request, answer)
                return answer

            return self._meet(name, request, record)

        return meet

    def _record(self, request: Request, answer: Answer) -> None:
        if request.path.endswith("/send") and answer.status < 300:
            with self._lock:
                self.started[request.path.split("/")[2]] += json.loads(answer.body)["status"] == "Accepted"

    def break_with(self, fault: NetworkFault, random: Random) -> None:
        """Let this fault begin when its moment comes."""
        first, *others = self._names
        victims = {"first": [first], "other": [random.choice(others)], "all": self._names}
        with self._lock:
            self._fault, self._victims, self._calls = fault, set(victims[fault.place]), 0
        if fault.start == "start" and fault.kind != "delay":
            self._begin(fault)

    def heal(self) -> None:
        """Let all new calls pass; what is held stays held."""
        with self._lock:
            self._fault = None

    def deliver(self) -> int:
        """Deliver what is held, in the order in which it came, and return how many writes that were."""
        with self._lock:
            held, self._held = self._held, []
        for call in held:
            call.deliver()
        return sum(call.request.writes for call in held)

    @property
    def holds_writes(self) -> bool:
        """Whether a write is held."""
        with self._lock:
            return any(call.request.writes for call in self._held)

    @property
    def held_for(self) -> float:
        """How long the oldest of what is held has been held, in seconds."""
        with self._lock:
            return time.monotonic() - self._first_held_at if self._held else 0.0

    def _begin(self, fault: NetworkFault) -> None:
        self.has_begun = True
        self._ends_at = time.monotonic() + fault.seconds

    def _meet(self, name: str, request: Request, forward: Forward) -> Answer:
        with self._lock:
            fault = self._fault
            is_victim = name in self._victims
            is_moment = (
                fault is not None and not self.has_begun and self._is_moment(fault, request, is_victim)
            )
            if fault and is_moment:
                self._begin(fault)
            is_on = self.has_begun and time.monotonic() < self._ends_at
        if fault is None or not is_victim or not is_on:
            return forward()
        if fault.kind == "freeze" or (fault.kind == "delay" and is_moment):
            return self._hold(fault, request, forward)
        if fault.kind == "cut":
            if request.writes and fault.moment.when != "before":
                forward()
            raise LostError
        if fault.kind == "error":
            if is_moment and fault.moment.when != "before":
                forward()
            return Answer(500, b'{"message":"the proxy has a fault"}', {"content-type": "application/json"})
        return forward()

    def _is_moment(self, fault: NetworkFault, request: Request, is_victim: bool) -> bool:
        """Whether the fault begins at this call; what has one call only must come to a victim."""
        if not request.writes or (fault.kind == "delay" and not is_victim):
            return False
        if fault.start == "middle":
            moment = fault.moment
            is_it = request.method == moment.method and re.search(moment.path, request.path)
            self._calls += bool(is_it)
            return bool(is_it) and self._calls >= moment.number
        return True

    def _hold(self, fault: NetworkFault, request: Request, forward: Forward) -> Answer:
        call = _HeldCall(request, forward)
        with self._lock:
            if not self._held:
                self._first_held_at = time.monotonic()
            self._held.append(call)
        if not call.settled.wait(min(fault.seconds, _DELIVERY_TIMEOUT)):
            call.deliver()
        raise LostError


@contextlib.contextmanager
def network_of(cluster: Cluster, first: str) -> Iterator[Network]:
    """Give a network of the cluster's nodes, of which tasks ask this one first."""
    names = [first, *cluster.others(first)]
    with contextlib.ExitStack() as stack:
        admin = {name: stack.enter_context(proxy_of(cluster.nodes[name].admin_url)) for name in names}
        ingress = {name: stack.enter_context(proxy_of(cluster.nodes[name].ingress_url)) for name in names}
        network = Network(admin, ingress)
        try:
            yield network
        finally:
            network.heal()
            network.deliver()
