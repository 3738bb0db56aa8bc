"""`python -m hub.testing FOLDER…`: run the contract suite without pytest."""

import sys

from hub.testing.suite import report


def main(folders: list[str]) -> int:
    """Print what failed, what the next tiers need, and the tier of each folder."""
    if not folders:
        sys.stderr.write("usage: python -m hub.testing FOLDER…\n")
        return 2
    found = {folder: report(folder) for folder in folders}
    for folder, result in found.items():
        lines = [f"FAILED {text}\n" for text in result.failed]
        lines += [
            f"{folder}: {t} needs {text}" for t, all_ in result.missing.items() for text in all_
        ]
        sys.stdout.write("\n".join((*lines, f"{folder}: {result.tier}", "")))
    return 1 if any(result.failed for result in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
