# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ends a task before its end: a signal, or that nobody reads its result any more."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import threading
import typing as t

from .._errors import OperatorError
from .._http.credentials import Secrets
from .._operations.journal import DONE, NOT_DONE, UNKNOWN
from .._operations.report import SAMPLE

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class EndedBySignal(BaseException):
    """A signal came. No operation may take it for an error of its own, hence a BaseException."""


@contextlib.contextmanager
def ending_by_signal() -> t.Iterator[t.Callable[[], None]]:
    """Turn SIGTERM, and the SIGINT of Ctrl-C, into EndedBySignal, so that the attempt leaves a record of its end.

    What it gives ignores further signals: the first one ends the task, and none takes its record away. The alarm of
    the task's time-out waits until the record is kept.
    """
    late: list[int] = []

    def ignore() -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, lambda number, _frame: late.append(number))

    def end(number: int, _frame: t.Any) -> None:
        ignore()
        raise EndedBySignal(signal.Signals(number).name)

    before = {number: signal.getsignal(number) for number in (*_SIGNALS, signal.SIGALRM)}
    for each in _SIGNALS:
        signal.signal(each, end)
    try:
        yield ignore
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for alarm in late:
            os.kill(os.getpid(), alarm)


@contextlib.contextmanager
def ending_when_nobody_reads(output: int = 1) -> t.Iterator[None]:
    """Send this process a SIGTERM when nobody reads its standard output any more.

    So a module ends whose play has ended: after a time-out of the task, ansible-core closes its end of the pipe and
    leaves the module running.
    """
    awake, wake = os.pipe()
    watcher = threading.Thread(target=_watch, args=(output, awake), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        os.write(wake, b".")
        watcher.join()
        os.close(awake)
        os.close(wake)


def _watch(output: int, awake: int) -> None:
    poll = select.poll()
    # Without an event to wait for, it is told only of errors: that the other end is closed.
    poll.register(output, 0)
    poll.register(awake, select.POLLIN)
    if any(file == output and event & (select.POLLERR | select.POLLHUP) for file, event in poll.poll()):
        os.kill(os.getpid(), signal.SIGTERM)


def ended_by(exc: EndedBySignal, *, wrote: bool) -> OperatorError:
    """Return what an operator is told of a task that was ended by a signal."""
    return _interrupted(f"The task was ended by {exc}.", "signal", wrote=wrote)


def timed_out(exc: BaseException, *, wrote: bool) -> OperatorError:
    """Return what an operator is told of a task that was ended by its time-out."""
    return _interrupted(f"The task was ended: {exc}", "task_timeout", wrote=wrote)


def steps_told(result: dict[str, t.Any]) -> str:
    """Return what a result says of its steps, the first ones of each kind, for where the result itself is not shown."""
    states = (state for state in (DONE, UNKNOWN, NOT_DONE) if result.get(state))
    return "; ".join(f"{state}: {json.dumps(result[state][:SAMPLE])}" for state in states)


def _interrupted(message: str, reason: str, *, wrote: bool) -> OperatorError:
    doubt = " Whether its last call was carried out is unknown." if wrote else ""
    return OperatorError(
        "RESTATE_INTERRUPTED",
        f"{message}{doubt}",
        remedy="Run restate_doctor to see what is left, then run the task again.",
        reason=reason,
        outcome_unknown=wrote,
    )


def unexpected(exc: BaseException, secrets: Secrets) -> OperatorError:
    """Return what an operator is told of an error in this collection, without these secrets."""
    return OperatorError(
        "RESTATE_INTERRUPTED",
        f"An error in this collection: {type(exc).__name__}: {secrets.hidden(str(exc))}",
        reason=type(exc).__name__,
    )
