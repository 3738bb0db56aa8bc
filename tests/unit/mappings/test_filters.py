"""Filters and tests, a row each; what they do not take stops the run."""

from decimal import Decimal

import pytest

from mappings.filters import FILTERS, TESTS

EUR = {"amount": 128450, "currency": "EUR"}
ORDER = {
    "eur": EUR, "yen": {"amount": 500, "currency": "JPY"},
    "dinar": {"amount": 12345, "currency": "KWD"},
    "debt": {"amount": -5, "currency": "EUR"}, "odd": {"amount": "5", "currency": "EUR"},
    "euro": {"amount": 5, "currency": "euro"}, "t": "2026-03-01T10:30:00.25+01:00",
    "naive": "2026-03-01T10:30:00", "day": "2026-03-01", "null": None, "s": " Aé ", "n": 5,
    "lines": [{"q": 2, "m": EUR}, {"q": 1, "m": EUR}], "mixed": [{"q": 1}, {}], "empty": [],
    "decimals": [Decimal("0.1"), 2], "exp": Decimal("1E+2"), "emptytext": "",
}  # fmt: skip

VALUES = [
    ("'aB' | lower", "ab"),
    ("'aB' | upper", "AB"),
    ("order.s | trim", "Aé"),
    ("5 | string", "5"),
    ("order.exp | string", "100"),
    ("true | string", "true"),
    ("'a-b-c' | replace('-', '+')", "a+b+c"),
    ("'a-b' | replace(old='-', new='')", "ab"),
    ("'abcdef' | truncate(4)", "abc…"),
    ("'abcd' | truncate(4)", "abcd"),
    ("'abcdef' | truncate(5, end='...')", "ab..."),
    ("'a,b' | split(',')", ["a", "b"]),
    ("'Crème brûlée & Co.' | slug", "creme-brulee-co"),
    ("{'a': 1.50, 'b': [order.exp, none]} | json", '{"a":1.50,"b":[100,null]}'),
    ("'a b/ü' | urlencode", "a%20b%2F%C3%BC"),
    ("5 | urlencode", "5"),
    ("['a', 1, true] | join('-')", "a-1-true"),
    ("[] | join", ""),
    ("'äb' | length", 2),
    ("order.lines | length", 2),
    ("order.eur | length", 2),
    ("[3, 4] | first", 3),
    ("[3, 4] | last", 4),
    ("order.empty | first | default(9)", 9),
    ("[1, 1.0, true, '1', 1, [1], [1.0], {'a': 1}, {'a': 1}] | unique | length", 5),
    ("['a', none, '', 0, false] | compact", ["a", 0, False]),
    ("order.lines | map('q')", [2, 1]),
    ("order.mixed | map('q') | default(7)", 7),
    ("order.lines | where('q', 1.0) | length", 1),
    ("[1, 2.5] | sum", Decimal("3.5")),
    ("[] | sum", 0),
    ("order.lines | sum('q')", 3),
    ("order.lines | sum('m')", {"amount": 256900, "currency": "EUR"}),
    ("order.lines | map('m') | sum | money", "2569.00"),
    ("[3, 1.5, 2] | sort", [Decimal("1.5"), 2, 3]),
    ("['b', 'a'] | sort", ["a", "b"]),
    ("order.lines | sort('q') | map('q')", [1, 2]),
    ("order.eur | pick('amount')", {"amount": 128450}),
    ("order.eur | pick('amount', 'nope') | default(1)", 1),
    ("order.eur | drop('amount', 'nope')", {"currency": "EUR"}),
    ("'12' | int", 12),
    ("' -12 ' | int", -12),
    ("12.0 | int", 12),
    ("'1.50' | decimal", Decimal("1.50")),
    ("3 | decimal", Decimal(3)),
    ("-3 | abs", 3),
    ("-1.5 | abs", Decimal("1.5")),
    ("2.5 | round", 3),
    ("-2.5 | round", -3),
    ("2.5 | round(mode='half_even')", 2),
    ("2.59 | round(1, 'down')", Decimal("2.5")),
    ("5 | round(2)", Decimal("5.00")),
    ("order.eur | money", "1284.50"),
    ("order.yen | money", "500"),
    ("order.dinar | money", "12.345"),
    ("order.debt | money", "-0.05"),
    ("order.eur | major", Decimal("1284.50")),
    ("order.eur | minor", 128450),
    ("order.eur | currency", "EUR"),
    ("order.eur | format_money('de-DE')", "1.284,50\xa0€"),
    ("order.eur | format_money('en_US')", "€1,284.50"),
    ("order.yen | format_money('ja')", "￥500"),
    ("order.t | iso", "2026-03-01T09:30:00.250000Z"),
    ("order.t | epoch", 1772357400),
    ("order.t | epoch_ms", 1772357400250),
    ("order.t | epoch_us", 1772357400250000),
    ("'1969-12-31T23:59:59.5Z' | epoch", -1),
    ("'2026-03-01T23:30:00Z' | date", "2026-03-01"),
    ("'2026-03-01T23:30:00Z' | date('Europe/Berlin')", "2026-03-02"),
    ("order.t | format_date('de')", "01.03.2026"),
    ("order.t | format_date('en', style='long', tz='UTC')", "March 1, 2026"),
    ("'a' | sha256", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
    ("none is none", True),
    ("'a' is string", True),
    ("1 is string", False),
    ("1 is number", True),
    ("1.5 is number", True),
    ("true is number", False),
    ("true is boolean", True),
    ("[] is list", True),
    ("order.eur is object", True),
    ("'a' is not list", True),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), VALUES)
def test_a_filter_gives(value, text, wanted):
    found = value(f"{{{{ {text} }}}}", ORDER)
    assert found == wanted
    assert type(found) is type(wanted)
    assert str(found) == str(wanted)


STOPS = [
    ("5 | lower", "mapping.kind"),
    ("order.null | trim", "mapping.null"),
    ("'a' | replace('', 'b')", "mapping.text"),
    ("'a' | replace(1, 'b')", "mapping.kind"),
    ("'abc' | truncate(0)", "mapping.number"),
    ("'a' | split('')", "mapping.text"),
    ("order.eur | string", "mapping.text"),
    ("[none] | join", "mapping.null"),
    ("'a' | join", "mapping.kind"),
    ("5 | length", "mapping.kind"),
    ("order.empty | first", "mapping.missing"),
    ("order.empty | last", "mapping.missing"),
    ("order.mixed | map('q')", "mapping.missing"),
    ("order.mixed | where('q', 1)", "mapping.missing"),
    ("[1] | map('q')", "mapping.kind"),
    ("['a'] | sum", "mapping.kind"),
    ("[order.eur, order.yen] | sum", "mapping.kind"),
    ("[order.eur, 1] | sum", "mapping.kind"),
    ("[1, 'a'] | sort", "mapping.kind"),
    ("[none] | sort", "mapping.kind"),
    ("[[1]] | sort", "mapping.kind"),
    ("order.eur | pick('nope')", "mapping.missing"),
    ("'x' | int", "mapping.number"),
    ("'1e3' | int", "mapping.number"),
    ("'' | int", "mapping.number"),
    ("'.' | decimal", "mapping.number"),
    ("'٣' | int", "mapping.number"),
    ("1.5 | int", "mapping.number"),
    ("true | int", "mapping.kind"),
    ("1 | round(99)", "mapping.number"),
    ("1 | round(1, 'up')", "mapping.text"),
    ("true | abs", "mapping.kind"),
    ("5 | money", "mapping.kind"),
    ("order.null | money", "mapping.null"),
    ("order.odd | money", "mapping.kind"),
    ("order.euro | major", "mapping.text"),
    ("order.eur | format_money('xx-XX')", "mapping.text"),
    ("order.eur | format_money('')", "mapping.text"),
    ("order.eur | format_money('../../etc')", "mapping.text"),
    ("order.naive | iso", "mapping.text"),
    ("order.day | epoch", "mapping.text"),
    ("'now' | iso", "mapping.text"),
    ("5 | iso", "mapping.kind"),
    ("'0001-01-01T00:00:00+14:00' | iso", "mapping.number"),
    ("'9999-12-31T23:59:59Z' | date('Asia/Tokyo')", "mapping.number"),
    ("order.t | date('Mars/Olympus')", "mapping.text"),
    ("order.t | date('../../../etc/passwd')", "mapping.text"),
    ("order.t | date('')", "mapping.text"),
    ("order.t | format_date('xx-XX')", "mapping.text"),
    ("order.t | format_date('de', 'huge')", "mapping.text"),
    ("5 | sha256", "mapping.kind"),
]


@pytest.mark.parametrize(("text", "code"), STOPS)
def test_a_filter_stops(stops, text, code):
    assert stops(f"{{{{ {text} }}}}", ORDER)[0] == code


def test_every_filter_and_test_has_its_row():
    rows = " ".join(text for text, _ in VALUES)
    used = {word.partition("(")[0] for word in rows.replace("|", " | ").split()}
    elsewhere = {"required", "defined", "default"}  # test_expressions
    assert set(FILTERS) | set(TESTS) == (used | elsewhere) & (set(FILTERS) | set(TESTS))
    assert "required" in FILTERS


def test_a_filter_is_what_the_documentation_lists():
    listed = """
        lower upper trim string replace truncate split slug json urlencode
        join length first last unique compact map where sum sort pick drop
        int decimal abs round money major minor currency format_money
        iso epoch epoch_ms epoch_us date format_date sha256 default required
    """
    assert set(FILTERS) == set(listed.split())
    assert set(TESTS) == {"defined", "none", "string", "number", "boolean", "list", "object"}
