#!/usr/bin/env python3
"""Whether source, texts, alerts and board speak of the same metrics, and each alert can be acted on.

Reads files only: names in metric macros, in ops/metrics.md, in the rules and in the board; for each
alert its paragraph in the runbook and its test. It does not judge expressions; promtool does.
"""

import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
OPS = ROOT / "ops"
MACRO = re.compile(r'\b(counter|gauge|histogram)!\(\s*"(ccd402_\w+)"')
ROW = re.compile(r"^\| `(ccd402_\w+)` \| (counter|gauge|histogram)\b", re.M)
NAME = re.compile(r"\bccd402_[a-z0-9_]+")
SUFFIX = re.compile(r"_(bucket|count|sum)$")


def in_source():
    """Metrics by name, as they are recorded."""
    found = {}
    for folder in ("src", "workers"):
        for path in (ROOT / folder).rglob("*.rs"):
            for kind, name in MACRO.findall(path.read_text()):
                found[name] = kind
    return found


def in_board(node):
    """All expressions of a board."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from [value] if key in ("expr", "query") else in_board(value)
    elif isinstance(node, list):
        for value in node:
            yield from in_board(value)


def used(text, documented):
    """Metrics that a text speaks of; series of a histogram are the histogram's."""
    for name in NAME.findall(text):
        base = SUFFIX.sub("", name)
        yield base if documented.get(base) == "histogram" else name


def anchors(text):
    """What a link into a text may name."""
    for heading in re.findall(r"^#+ (.+)$", text, re.M):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def alerts_amiss(rules, tests, runbook):
    """What each alert lacks."""
    known = set(anchors(runbook))
    for alert in re.split(r"^ +- alert: ", rules, flags=re.M)[1:]:
        name = alert.split()[0]
        for key in ("for", "severity", "summary", "runbook"):
            if not re.search(rf"\b{key}: \S", alert):
                yield f"alert {name}: has no {key}"
        for link in re.findall(r"runbook: ops/runbook\.md#(\S+)", alert):
            if link not in known:
                yield f"alert {name}: the runbook has no paragraph #{link}"
        if f"`{name}`" not in runbook:
            yield f"alert {name}: is not named in the runbook"
        cases = re.split(r"^  - name: ", tests, flags=re.M)
        case = next((case for case in cases if case.startswith(f"{name}\n")), "")
        if not ('instance="bad"' in case and 'instance="good"' in case and "value: 1" in case):
            yield f"alert {name}: has no test with a series that fires it and one that does not"


def amiss():
    """Everything that does not fit."""
    source, documented = in_source(), dict(ROW.findall((OPS / "metrics.md").read_text()))
    rules = (OPS / "prometheus/alerts.yml").read_text()
    tests = (OPS / "prometheus/alerts.test.yml").read_text()
    board = "\n".join(in_board(json.loads((OPS / "grafana/ccd402.json").read_text())))
    for name in sorted(source.keys() | documented.keys()):
        if name not in documented:
            yield f"{name}: is recorded, and not in ops/metrics.md"
        elif name not in source:
            yield f"{name}: is in ops/metrics.md, and not recorded"
        elif source[name] != documented[name]:
            yield f"{name}: is a {source[name]}, and ops/metrics.md says {documented[name]}"
    shown = set()
    expressions = "\n".join(re.sub(r'"[^"]*"|^ *#.*$', "", rules, flags=re.M).splitlines())
    for where, text in (("alerts.yml", expressions), ("alerts.test.yml", tests), ("board", board)):
        for name in sorted(set(used(text, documented))):
            shown.add(name)
            if name not in documented:
                yield f"{name}: is used in {where}, and not in ops/metrics.md"
    for name in sorted(documented.keys() - shown):
        yield f"{name}: is in no alert and not on the board"
    yield from alerts_amiss(rules, tests, (OPS / "runbook.md").read_text())


def main():
    """Says what does not fit; exit code 1 where there is any."""
    found = list(amiss())
    for line in found:
        print(line)
    if not found:
        print("metrics of source, texts, alerts and board agree")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
