"""The contract suite: run over a connector's folder, it turns fixtures into tests.

For every folder below `connectors/` it runs by itself. For a folder of your own, this is a whole
test file (pytest, or any runner that calls `check()`):

    import pytest
    from hub import testing

    @pytest.mark.parametrize("case", testing.cases("plugins/acme"), ids=str)
    def test_contract(case):
        case.check()

Without pytest: `python -m hub.testing plugins/acme` prints what failed, what is missing for the
next tier, and the tier. It exits 1 where anything failed.

A fixture's keys, in full:

`fixtures/settings.json`
    `settings` (a Secret is written as plain text), `secrets` (webhook secrets, best two), `window`
    (seconds a signed time may be [old, ahead]; [300, 300] unless said), `coverage` (`body` unless
    said; `partial` or `none` where the provider leaves bytes unsigned), `proof` (for gold: names
    of test files for `schema` and `sdk`, relative to the repository).
`fixtures/vectors.json`
    `origin`, `cases`: `name`, `secret`, `method`, `url`, `headers`, `body`, `now`, `expected`
    (`ok` or a SignatureError's reason), `note`.
`fixtures/in/<case>.json`
    `source`, `request` (`method`, `url`, `headers`, `body`), `sign`, `now`, `coverage`, `expect`:
    `events`, `facts`, or `error: "parse"`. Raw bytes may lie beside it in `<case>.body`.
`fixtures/out/<action>/<case>.json`
    `source`, `input`, `key`, `job`, `attempt`, `links`, `now`, `lookup`, `calls`, `expect`.
    A call: `method`, `path` (below the base URL), `params`, `headers` (those that matter),
    `json` | `form` | `body`, `answer`: `status`, `headers`, `json` | `body`, or `fault`: `cut`,
    `refuse`, `hang`. Expected: `ref`, `links`, `facts`, `handoff`, `results`, or for a look-up
    `none: true`; or `error` with `after`, `errors`, `text`, `facts`, `final`.

Requests are played on a real server on 127.0.0.1. Beside what fixtures say, every action is
played against hostile answers, and every verifier against hostile requests.
"""

from hub.testing.case import Case, Mismatch
from hub.testing.suite import Report, cases, report, tier

__all__ = ["Case", "Mismatch", "Report", "cases", "report", "tier"]
