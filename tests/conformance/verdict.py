"""The verdict over the suite's index.json files: pure functions, proved by `autobahn.py selftest`."""

import fnmatch
from collections import Counter

# Cases in the pinned version of the suite: an enumeration that finds another number is wrong.
SUITE_CASES = 517

# The suite judges nobody here: it only tells what it saw.
INFORMATIONAL_CASES = {"7.1.6", "7.13.1", "7.13.2"}

COLUMNS = ["OK", "INFORMATIONAL", "UNIMPLEMENTED", "NON-STRICT", "FAILED"]
MISSING = "MISSING"


class BadInput(Exception):
    """The runner was told something that cannot be; nothing may be concluded."""


def case_key(case):
    return tuple(int(part) for part in case.split("."))


def group_of(case):
    """1 to 10 by their first number; 12 and 13, which take minutes, by their first two."""
    parts = case.split(".")
    return ".".join(parts[:2]) if parts[0] in ("12", "13") else parts[0]


def select(suite, wanted, excluded):
    """(cases to run, [{pattern, reason, cases}]) of the suite's own list.

    `wanted`: patterns as in a shell (`*` also matches dots); none means all.
    `excluded`: pairs (pattern, reason). Every pattern must match something.
    """
    if len(suite) != SUITE_CASES or len(set(suite)) != len(suite):
        raise BadInput(f"the suite lists {len(suite)} cases, {SUITE_CASES} were expected")
    cases = set()
    for pattern in wanted or ["*"]:
        hits = fnmatch.filter(suite, pattern)
        if not hits:
            raise BadInput(f"no case matches {pattern!r}")
        cases.update(hits)
    left_out = []
    for pattern, reason in excluded:
        hits = fnmatch.filter(suite, pattern)
        if not reason or not hits:
            raise BadInput(f"exclusion {pattern!r} needs a reason and must match a case")
        cases.difference_update(hits)
        left_out.append({"pattern": pattern, "reason": reason, "cases": len(hits)})
    if not cases:
        raise BadInput("nothing is left to run")
    return sorted(cases, key=case_key), left_out


def groups(cases):
    """{group: its cases}, in the suite's order."""
    split = {}
    for case in cases:
        split.setdefault(group_of(case), []).append(case)
    return split


def merge(indexes, agent):
    """One {case: result} of [(group, index.json as read)]; problems as text beside it."""
    merged, problems = {}, []
    for group, index in indexes:
        if not isinstance(index, dict) or list(index) != [agent]:
            found = sorted(index) if isinstance(index, dict) else type(index).__name__
            problems.append(f"group {group}: results of {found}, not of [{agent!r}]")
            continue
        for case, result in index[agent].items():
            if case in merged:
                problems.append(f"case {case} was reported twice")
            merged[case] = result if isinstance(result, dict) else {}
    return merged, problems


def is_fine(case, outcome):
    """Only OK is good; INFORMATIONAL where the suite gives nobody more.

    UNIMPLEMENTED is the suite's word for compression that was not negotiated: whoever has none
    excludes 12.* and 13.* by name and reason, so that it never counts as passed.
    """
    return outcome == "OK" or (outcome == "INFORMATIONAL" and case in INFORMATIONAL_CASES)


def judge(expected, merged, problems):
    """The verdict as it goes to the JSON summary."""
    failures = []
    table = {}
    for case in expected:
        result = merged.get(case)
        behavior = (result or {}).get("behavior", MISSING)
        close = (result or {}).get("behaviorClose", MISSING)
        row = table.setdefault(group_of(case), {"cases": 0, "behavior": Counter(), "close": Counter()})
        row["cases"] += 1
        row["behavior"][behavior] += 1
        row["close"][close] += 1
        if not (is_fine(case, behavior) and is_fine(case, close)):
            failures.append({"case": case, "behavior": behavior, "behaviorClose": close,
                             "report": (result or {}).get("reportfile")})
    problems = list(problems)
    if not expected:
        problems.append("no case was expected: an empty run proves nothing")
    unexpected = sorted(set(merged) - set(expected), key=str)
    if unexpected:
        problems.append(f"results of cases that were not asked for: {', '.join(unexpected)}")
    totals = {"cases": len(expected), "behavior": Counter(), "close": Counter()}
    for row in table.values():
        totals["behavior"] += row["behavior"]
        totals["close"] += row["close"]
    return {"passed": not failures and not problems, "totals": totals, "groups": table,
            "failures": failures, "problems": problems}


def render(verdict):
    """The table for people, and each failure on its line."""
    head = ["group", "cases", *COLUMNS, "other", "missing", "close not OK"]
    rows = [head]
    for name, row in [*verdict["groups"].items(), ("all", verdict["totals"])]:
        seen = row["behavior"]
        other = sum(count for word, count in seen.items() if word not in (*COLUMNS, MISSING))
        bad_close = sum(count for word, count in row["close"].items()
                        if word not in ("OK", "INFORMATIONAL"))
        cells = [name, row["cases"], *(seen.get(word, 0) for word in COLUMNS), other,
                 seen.get(MISSING, 0), bad_close]
        rows.append([str(cell) for cell in cells])
    widths = [max(len(row[n]) for row in rows) for n in range(len(head))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths)) for row in rows]
    for failure in verdict["failures"]:
        lines.append(f"FAIL: case {failure['case']}: {failure['behavior']}, "
                     f"close {failure['behaviorClose']}")
    lines += [f"FAIL: {problem}" for problem in verdict["problems"]]
    return "\n".join(lines)
