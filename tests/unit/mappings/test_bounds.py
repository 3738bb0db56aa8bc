"""Hostile mappings and hostile data end in an error, soon and in little memory."""

import tracemalloc
from decimal import Decimal
from time import perf_counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.errors import MappingError
from hub.model import write_json
from hub.nodes import Scalar
from hub.tree import compose
from mappings import compile as compiler
from mappings.results import MAX_OUTPUT

BIG = "x" * 200_000
LONG = list(range(9_000))
ORDER = {
    "text": BIG, "long": LONG, "longer": list(range(10_001)), "n": 10**29, "nested": [LONG] * 100,
    "tiny": Decimal("1E-999999"), "huge": Decimal("1E+999999"), "zero": Decimal("0E-999999"),
    "whole": 10**4000, "deep": None, "objects": [{"a": n, "t": BIG} for n in range(9000)],
    "money": {"amount": 1, "currency": "EUR"},
}  # fmt: skip
for _ in range(40):
    ORDER["deep"] = [ORDER["deep"]]

LOOP = "$for: a in order.long"
HOSTILE = {
    # text that grows
    "concat": 'map: "{{ order.text ~ order.text }}"',
    "text": 'map: "{{ order.text }}{{ order.text }}"',
    "replace": "map: \"{{ order.text | replace('x', 'xxxxxxxxxx') }}\"",
    "join": 'map: "{{ [order.text, order.text] | join }}"',
    "join of long": 'map: "{{ order.long | join(order.text) }}"',
    "urlencode": "map: \"{{ (order.text | replace('x', '/')) | urlencode }}\"",
    "json": 'map: "{{ [order.text, order.text] | json }}"',
    # texts that are made again and again
    "texts": f"map: {{{LOOP}, $value: '{{{{ order.text ~ a }}}}'}}",
    "lowers": f"map: {{{LOOP}, $value: '{{{{ order.text | lower | length }}}}'}}",
    "hashes": f"map: {{{LOOP}, $value: '{{{{ order.text | sha256 }}}}'}}",
    "jsons": f"map: {{{LOOP}, $value: '{{{{ order.nested | json | length }}}}'}}",
    "babels": f"map: {{{LOOP}, $value: \"{{{{ order.money | format_money('de') }}}}\"}}",
    # loops
    "one loop": "map: {$for: a in order.longer, $value: 1}",
    "loops in loops": f"map: {{{LOOP}, $value: {{$for: b in order.long, $value: 1}}}}",
    "work": f"map: {{{LOOP}, $value: '{{{{ {'a + ' * 45}1 }}}}'}}",
    "sorts": f"map: {{{LOOP}, $value: '{{{{ order.long | sort | length }}}}'}}",
    "sums": f"map: {{{LOOP}, $value: '{{{{ order.long | sum }}}}'}}",
    "uniques": f"map: {{{LOOP}, $value: '{{{{ order.nested | unique | length }}}}'}}",
    "equals": f"map: {{{LOOP}, $value: '{{{{ order.nested == order.objects }}}}'}}",
    "ins": f"map: {{{LOOP}, $value: '{{{{ \"y\" in order.objects }}}}'}}",
    "finds": f"map: {{{LOOP}, $value: '{{{{ \"y\" in order.text }}}}'}}",
    "concats": f"map: {{{LOOP}, $value: {{$concat: ['{{{{ order.long }}}}']}}}}",
    # numbers
    "product": 'map: "{{ order.n * order.n }}"',
    "sum": 'map: "{{ order.n + order.n * 10 }}"',
    "whole": 'map: "{{ order.whole }}"',
    "whole in text": 'map: "a{{ order.whole }}"',
    "whole times": 'map: "{{ order.whole * order.whole }}"',
    "tiny": 'map: "{{ order.tiny }}"',
    "tiny in text": 'map: "a{{ order.tiny }}"',
    "huge": 'map: "{{ order.huge }}"',
    "huge to int": 'map: "{{ order.huge | int }}"',
    "huge rounded": 'map: "{{ order.huge | round }}"',
    "tiny divided": 'map: "{{ order.tiny / order.huge }}"',
    # results
    "deep": 'map: "{{ order.deep }}"',
    "the whole order": 'map: "{{ order.objects }}"',
    "the order often": f"map: {{{LOOP}, $value: '{{{{ order.text }}}}'}}",
    "the lists often": f"map: {{{LOOP}, $value: '{{{{ order.nested }}}}'}}",
}  # fmt: skip
HEAD = "mapping: m\nfrom: shop.order@1\nto: segment.track\n"


def mapping_of(body):
    node, faults = compose(HEAD + body, "m.yaml")
    assert faults == []
    made, faults = compiler.mapping(node, file="m.yaml")
    assert faults == []
    return made


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_ends_soon_and_small(name):
    mapping = mapping_of(HOSTILE[name])
    with pytest.raises(MappingError):  # once before it is timed: lazy imports
        mapping({"order": ORDER})
    tracemalloc.start()
    begun = perf_counter()
    with pytest.raises(MappingError) as caught:
        mapping({"order": ORDER})
    seconds, (_, peak) = perf_counter() - begun, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.code in {"mapping.large", "mapping.number"}
    assert len(str(caught.value)) < 300
    assert peak < 20_000_000
    assert seconds < 5  # traced and on a shared core; alone the slowest takes 0.2 s


def test_zero_has_no_exponent():
    assert write_json(
        mapping_of('map: ["{{ order.zero }}", "a{{ order.zero }}"]')({"order": ORDER})
    ) == (b'[0,"a0"]')


def test_a_large_order_fits_well():
    """1,000 lines of eight fields, prices written by babel but for one column."""
    body = f"""map:
  {LOOP.replace("long", "lines")}
  $value:
    sku: "{{{{ a.sku }}}}"
    label: "{{{{ a.title }}}} ({{{{ a.qty }}}})"
    price: "{{{{ a.price | format_money('de') }}}}"
    total: "{{{{ (a.price | major) * a.qty }}}}"
    gift: "{{{{ a.gift | default(false) }}}}"
    n: "{{{{ a.qty | string }}}}"
"""
    line = {"sku": "A-1", "title": "Thing", "qty": 2, "price": {"amount": 995, "currency": "EUR"}}
    made = mapping_of(body)({"order": {"lines": [line] * 1000}})
    assert len(made) == 1000
    assert made[999]["total"] == Decimal("19.90")


def test_the_limit_of_a_result_is_settable():
    node, _ = compose(HEAD + "map: '{{ order.text }}'", "m.yaml")
    made, _ = compiler.mapping(node, file="m.yaml", limit=1000)
    with pytest.raises(MappingError, match="larger than 1000 bytes"):
        made({"order": ORDER})
    assert len(mapping_of("map: '{{ order.text }}'")({"order": ORDER})) < MAX_OUTPUT


BODIES = {
    "leaves": "map: [" + "1, " * 5001 + "]",
    "loops": "map: " + "{$for: a%d in order.x, $value: " * 5 % (1, 2, 3, 4, 5) + "1" + "}" * 5,
    "levels": "map: " + "[" * 45 + "1" + "]" * 45,
    "ifs": "map: " + "{$if: '{{ true }}', $value: " * 45 + "1" + "}" * 45,
    "file": "map: 1\n" + "# a longer comment\n" * 15_000,
}


@pytest.mark.parametrize("name", BODIES)
def test_a_mapping_has_caps_of_its_own(name):
    node, faults = compose(HEAD + BODIES[name], "m.yaml")
    assert faults == []
    made, faults = compiler.mapping(node, file="m.yaml")
    assert made is None
    assert [f.code for f in faults] == ["mapping.cap"]


def test_the_deepest_that_is_allowed_compiles():
    condition = "not " * 45 + "true"
    loops = "".join(f"{{$for: a{n} in order.x, $value: " for n in range(4))
    body = f"map: {loops}{'[' * 30}'{{{{ {condition} }}}}'{']' * 30}{'}' * 4}"
    with pytest.raises(MappingError, match="more than 32 levels"):
        mapping_of(body)({"order": {"x": [1]}})


# -- fuzz ----------------------------------------------------------------------------------------
WORDS = """
    {{ }} {% %} {# #} order . .x [0] ['a'] | default ( ) , omit + - * / // % ~ and or not in is if
    else == < none true 1 1.5 'a' " $ ** : lower first sum round replace split x é
"""
PIECES = st.sampled_from([*WORDS.split(), "\\", "\n"])
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["x", "a", "b"]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def outcome(made, order):
    """JSON, omit, or an error of ours with its code; anything else is raised."""
    try:
        found = made({"order": order})
    except MappingError as error:
        return error.code.startswith("mapping.")
    return found is compiler.OMIT or write_json(found)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(PIECES, max_size=12).map(" ".join), DATA)
def test_no_text_and_no_data_raise_anything_else(text, data):
    for body in (text, f"{{{{ {text} }}}}"):
        scalar = Scalar(value=body, text=body)
        made, faults = compiler.expression(scalar, file="m.yaml", names={"order"})
        assert (made is None) == bool(faults)
        if made is not None:
            assert outcome(made, data)


KEYS = ("$for", "$if", "$value", "$else", "$switch", "$index", "$concat", "a", "$$b")
YAML = st.recursive(
    st.sampled_from(["1", "'{{ order.x }}'", "'{{ x }}'", "a", "'{{ omit }}'", "'x{{ order }}'"]),
    lambda inner: st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
    | st.dictionaries(
        st.sampled_from(KEYS),
        inner | st.just("x in order.x"), max_size=4,
    ).map(lambda pairs: "{" + ", ".join(f"{k}: {v}" for k, v in pairs.items()) + "}"),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(YAML, DATA)
def test_no_structure_raises_anything_else(body, data):
    node, _ = compose(f"{HEAD}map: {body}", "m.yaml")
    if node is None:
        return
    made, faults = compiler.mapping(node, file="m.yaml")
    assert (made is None) == any(not f.warning for f in faults)
    if made is not None:
        assert outcome(made, {"x": data})
