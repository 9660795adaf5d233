# Copyright (c) 2026, the dalp.restate contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading an audit log as a module."""

from __future__ import annotations

import datetime
import typing as t

from ansible.module_utils.basic import AnsibleModule

from .._errors import OperatorError
from .._operations.report import count
from .chain import Chain, read, without_outcome


def run_audit_info(argument_spec: dict[str, t.Any]) -> None:
    """Read the log that the options name, and leave with its records and the verdict on its chain."""
    module = AnsibleModule(argument_spec=argument_spec, supports_check_mode=True)
    params = module.params
    try:
        since, until = (_instant(name, params[name]) for name in ("since", "until"))
        chain = read(params["path"])
    except OperatorError as exc:
        module.fail_json(msg=f"{exc.message} What to do: {exc.remedy}", error=exc.to_result())
        return
    wanted = [record for record in chain.records if _is_wanted(record, params, since, until)]
    result = {
        "changed": False,
        "msg": sentence(chain),
        "verified": chain.broken is None,
        "broken": chain.broken,
        "torn_lines": chain.torn,
        "follows": chain.follows,
        "lines": len(chain.lines),
        "last_hash": chain.lines[-1].hash if chain.lines else "",
        "without_outcome": without_outcome(chain.records),
        "matching": len(wanted),
        "records": wanted[-params["limit"] :] if params["limit"] else wanted,
    }
    if params["fail_if_broken"] and chain.broken:
        error = OperatorError("RESTATE_AUDIT_UNAVAILABLE", sentence(chain), reason=chain.broken["reason"])
        module.fail_json(**{**result, "msg": error.message, "error": error.to_result()})
    module.exit_json(**result)


def sentence(chain: Chain) -> str:
    """Return the verdict on a log."""
    number = count(len(chain.records), "record")
    if chain.broken:
        place = f"line {chain.broken['line']} of {chain.broken['file']}"
        return (
            f"The chain of {number} is broken: {place} is not as it was written ({chain.broken['reason']})."
        )
    notes = []
    if chain.torn:
        notes.append(f"{count(len(chain.torn), 'half line')} left by a crash")
    open_attempts = without_outcome(chain.records)
    if open_attempts:
        notes.append(f"{count(len(open_attempts), 'attempt')} without an outcome")
    return f"The chain of {number} is whole{'; ' + ', '.join(notes) if notes else ''}."


def _is_wanted(
    record: dict[str, t.Any], params: dict[str, t.Any], since: str | None, until: str | None
) -> bool:
    data = record["data"]
    return (
        params["operation"] in (None, data["operation"])
        and params["actor"] in (None, data["actor"])
        and params["outcome"] in (None, data["outcome"])
        and (since is None or record["time"] >= since)
        and (until is None or record["time"] < until)
    )


def _instant(option: str, text: str | None) -> str | None:
    """Return a time as records have it."""
    if text is None:
        return None
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise OperatorError(
            "RESTATE_INVALID_ARGUMENT",
            f"{option} must be a time with a zone, like 2026-11-22T03:00:00Z; it is {text!r}.",
        )
    return moment.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
