"""The filters of the mapping language as a table, made of the functions themselves."""

from mappings.filters import FILTERS
from mappings.grammar import written_as


def table(_old: str) -> str:
    """Write the table anew."""
    rows = ["| filter | gives |", "|---|---|"]
    for name, function in FILTERS.items():
        means = (function.__doc__ or "").partition("\n")[0].rpartition("`: ")[2]
        rows.append(f"| `{name}{written_as(function)}` | {means} |")
    return "\n".join(rows)
