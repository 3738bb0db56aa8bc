"""The metrics as a table, made of the registry itself."""

from prometheus_client import Counter, Gauge, Histogram

from hub import metrics

KINDS = {Counter: "counter", Gauge: "gauge", Histogram: "histogram"}
SUFFIX = {"counter": "_total"}


def table(_old: str) -> str:
    """Write the table anew."""
    rows = ["| metric | kind | labels | means |", "|---|---|---|---|"]
    for one in ours():
        kind = KINDS[type(one)]
        labels = ", ".join(f"`{name}`" for name in one._labelnames)
        name = one._name + SUFFIX.get(kind, "")
        rows.append(f"| `{name}` | {kind} | {labels} | {one._documentation} |")
    return "\n".join(rows)


def ours() -> list[Counter | Gauge | Histogram]:
    """Give every metric the hub defines, in the order of the module."""
    return [one for one in vars(metrics).values() if isinstance(one, tuple(KINDS))]
