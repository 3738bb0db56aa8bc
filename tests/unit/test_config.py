"""A good config.yaml becomes one frozen Config, whose routes really work on an event."""

import json
import shutil
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub import config
from hub.config import install
from hub.config.vocabulary import Vocabulary
from hub.errors import ConfigError
from hub.model import Event, read_json
from hub.retry import Policy
from hub.routing import Router
from hub.secrets import Secret
from hub.shop.vocabulary import SCHEMAS, SHOP_EVENTS
from store.retention import Terms

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "mappings/library/fixtures"
SHOP = Vocabulary(events=SHOP_EVENTS, models=SCHEMAS)
NOW = datetime(2026, 3, 1, 9, 31, 5, tzinfo=UTC)
ENV = {
    "HUB_KEY": "Q0FOQVJZLWZvci10ZXN0cy0zMi1ieXRlcy1sb25nISE=",
    "STRIPE_API_KEY": "sk_test_CANARY",
    "STRIPE_WEBHOOK_SECRET": "whsec_CANARY_16_or_more",
    "HUBSPOT_ACCESS_TOKEN": "pat-CANARY",
    "SENDGRID_API_KEY": "SG.CANARY",
    "SENDGRID_WEBHOOK_KEY": "CANARY-public-key-in-base64",
    "SEGMENT_WRITE_KEY": "CANARY-write-key",
}
HEAD = 'version: 1\nstore: { encryption_keys: ["${env:HUB_KEY}"] }\n'
SEGMENT = """connectors:
  segment: { type: segment, settings: { write_key: "${env:SEGMENT_WRITE_KEY}" } }
"""
TRACK = """mapping: track
from: loyalty.points_changed
to: segment.track
map: { userId: "{{ data.customer }}", event: Points, timestamp: "{{ event.occurred_at }}" }
"""


@pytest.fixture
def load(tmp_path):
    """Load a configuration from text, below the head that every file needs."""

    def load(body, *, head=HEAD, env=(), **files):
        for name, text in files.items():
            (tmp_path / name.replace("_yaml", ".yaml").replace("_json", ".json")).write_text(text)
        path = tmp_path / "config.yaml"
        path.write_text((head + body).replace("HERE", str(tmp_path)))
        return config.load(path, env={**ENV, **dict(env)}, shop=SHOP)

    return load


@pytest.fixture(scope="module")
def shipped():
    """The configuration at the root of the repository, with secrets."""
    return config.load(ROOT / "config.yaml", env=ENV, shop=SHOP)


def order(name, event="shop.order.paid", origin="live"):
    """An event as the shop tells it, around an order of the mappings' fixtures."""
    data = {"order": read_json((FIXTURES / name).read_bytes())}
    return Event(
        id="evt_1", type=event, at=NOW, data=data, schema="shop.order@1", origin=origin,
        recorded_at=NOW,
    )  # fmt: skip


# -- the shipped file ------------------------------------------------------------------------------
def test_the_shipped_file_has_no_fault_but_the_missing_secrets():
    faults = config.check(ROOT / "config.yaml", {}, secrets=False, shop=SHOP)
    assert {(fault.code, fault.warning) for fault in faults} == {("env.missing", True)}
    assert len(faults) == len(ENV)


def test_the_shipped_file_is_clean_with_them():
    assert config.check(ROOT / "config.yaml", ENV, shop=SHOP) == []


def test_without_secrets_the_hub_does_not_start():
    with pytest.raises(ConfigError) as refused:
        config.load(ROOT / "config.yaml", env={}, shop=SHOP)
    assert {fault.code for fault in refused.value.faults} == {"env.missing"}
    assert len(refused.value.faults) == len(ENV)


def test_a_paid_order_makes_its_six_jobs_in_the_files_order(shipped):
    jobs = Router(shipped.routes).jobs_for(order("order_paid.json"), NOW)
    assert [(job.route, job.connector, job.action, job.state) for job in jobs] == [
        ("order-contact", "hubspot", "upsert_contacts", "ready"),
        ("order-deal", "hubspot", "upsert_deals", "ready"),
        ("order-lines", "hubspot", "upsert_line_items", "ready"),
        ("order-links", "hubspot", "associate", "ready"),
        ("order-receipt", "sendgrid", "send_template", "ready"),
        ("order-analytics", "segment", "track", "ready"),
    ]
    customer = "cus_01hq3v8z6k2m4n5p7r9s1t3w5x"
    assert [job.lane for job in jobs] == [customer] * 4 + [None] * 2
    assert jobs[4].key == "receipt:ord_01hq3v90c8d2e4f6g8h0j2k4m6"
    assert jobs[4].give_up_at == NOW + timedelta(hours=6)
    assert all(job.mapping_hash for job in jobs)


def test_a_refunded_order_makes_its_six_jobs(shipped):
    event = order("order_refunded.json", "shop.order.refunded")
    jobs = Router(shipped.routes).jobs_for(event, NOW)
    assert [job.route for job in jobs][-2:] == ["refund-note", "refund-analytics"]
    assert [job.state for job in jobs] == ["ready"] * 6


@pytest.mark.parametrize("name", sorted(path.name for path in FIXTURES.glob("order_*.json")))
def test_what_the_shipped_routes_make_is_what_their_actions_take(shipped, name):
    for job in Router(shipped.routes).jobs_for(order(name), NOW):
        spec = shipped.connectors[job.connector].cls.actions()[job.action]
        made = read_json(job.payload)
        for item in made if isinstance(made, list) else [made]:
            spec.model.model_validate(item)


def test_an_imported_order_makes_no_job(shipped):
    assert Router(shipped.routes).jobs_for(order("order_paid.json", origin="import"), NOW) == []


def test_an_order_without_its_customer_is_a_visible_dead_job(shipped):
    event = order("order_paid.json")
    del event.data["order"]["customer"]
    jobs = Router(shipped.routes).jobs_for(event, NOW)
    assert {job.state for job in jobs[:2]} == {"dead"}
    assert "config/routes.yaml" in jobs[0].error


def test_a_config_prints_no_secret(shipped):
    assert "CANARY" not in repr(shipped)
    assert "‹secret:STRIPE_API_KEY›" in repr(shipped)


# -- parts -----------------------------------------------------------------------------------------
def test_what_is_not_said_has_its_default(load):
    made = load(SEGMENT)
    assert made.service.listen == ("127.0.0.1", 8080)
    assert (made.service.lease, made.service.shutdown_grace) == (
        timedelta(minutes=1),
        timedelta(seconds=30),
    )
    assert (made.service.limits.body, made.store.url) == (1 << 20, "sqlite:///var/hub.db")
    assert (made.shop, made.routes, dict(made.events)) == (None, (), {})
    segment = made.connectors["segment"]
    assert (segment.concurrency, segment.connect, segment.total) == (8, 5.0, 30.0)
    assert (segment.retry, segment.secrets, segment.paused) == (Policy(), (), False)


def test_what_is_said_is_what_holds(load):
    made = load(
        'service: { listen: "[::1]:9000", public_url: "https://hub.example.com/", lease: 2m,\n'
        "  limits: { body: 64KiB, read_within: 500ms } }\n"
        "shop: { time_zone: Europe/Berlin, locale: de-DE, currencies: [EUR],\n"
        "  hold: { default: 1h } }\n"
        "connectors:\n"
        "  pay_eu:\n"
        "    type: stripe\n"
        '    settings: { mode: test, api_key: "${env:STRIPE_API_KEY}" }\n'
        "    paused: true\n"
        "    concurrency: 2\n"
        "    timeout: { total: 90s }\n"
        "    egress: { allow_private: [10.0.0.0/8] }\n"
        "    webhooks:\n"
        '      secrets: ["${env:STRIPE_WEBHOOK_SECRET}",'
        ' { value: "${env:STRIPE_WEBHOOK_SECRET}", until: 2026-03-31 }]\n'
        "      events: [refund.created]\n"
    )
    assert (made.service.listen, made.service.public_url) == (
        ("::1", 9000),
        "https://hub.example.com",
    )
    assert (made.service.limits.body, made.shop.hold.default) == (65536, timedelta(hours=1))
    pay = made.connectors["pay_eu"]
    assert (pay.name, pay.type, pay.account, pay.paused) == ("pay_eu", "stripe", "pay_eu", True)
    assert (pay.concurrency, pay.connect, pay.total) == (2, 5.0, 90.0)
    assert (pay.events, pay.allow_private) == ({"refund.created"}, (ip_network("10.0.0.0/8"),))
    assert [secret.until for secret in pay.secrets] == [None, date(2026, 3, 31)]
    assert pay.secrets[0].value.reveal() == ENV["STRIPE_WEBHOOK_SECRET"].encode()
    assert pay.limits == pay.cls.limits


def test_retry_is_merged_key_by_key_the_nearest_last(load):
    made = load(
        "defaults: { retry: { max_attempts: 9, backoff: { initial: 2s, jitter: none } } }\n"
        "connectors:\n"
        '  segment: { type: segment, settings: { write_key: "${env:SEGMENT_WRITE_KEY}" },\n'
        "    retry: { backoff: { initial: 3s, max: 1m } } }\n"
        "routes:\n"
        "  - { name: a, on: shop.order.paid, do: segment.track, map: order-to-segment,\n"
        "      retry: { max_age: 1h } }\n"
    )
    account = Policy(max_attempts=9, initial=3.0, max_wait=60.0, jitter="none")
    assert made.connectors["segment"].retry == account
    assert made.routes[0].retry.max_age == timedelta(hours=1)
    assert made.routes[0].retry.initial == 3.0
    assert made.routes[0].own_age


@pytest.mark.parametrize(
    ("said", "by_default", "blocks", "resends"),
    [
        ("", "", False, False),
        ("on_dead: block, on_uncertain: resend", "", True, True),
        # the default holds where the route is silent, and gives way where it is not
        ("", "defaults: { on_dead: block, on_uncertain: resend }\n", True, True),
        (
            "on_dead: continue, on_uncertain: park",
            "defaults: { on_dead: block, on_uncertain: resend }\n",
            False,
            False,
        ),
    ],
)
def test_what_follows_a_dead_or_uncertain_job_is_the_admins_word(
    load, said, by_default, blocks, resends
):
    made = load(
        by_default + "connectors:\n"
        '  sendgrid: { type: sendgrid, settings: { api_key: "${env:SENDGRID_API_KEY}",\n'
        "    from: shop@example.com } }\n"
        "routes:\n"
        "  - { name: a, on: shop.order.paid, do: sendgrid.send_template,\n"
        f"      map: order-to-sendgrid-receipt, {said} }}\n"
    )
    assert (made.routes[0].blocks, made.routes[0].resend) == (blocks, resends)


def test_the_environment_wins_over_the_file(load):
    made = load("", env={"HUB_LISTEN": "0.0.0.0:81", "HUB_STORE_URL": "sqlite:////tmp/x.db"})
    assert (made.service.listen, made.store.url) == (("0.0.0.0", 81), "sqlite:////tmp/x.db")


@pytest.mark.parametrize("name", ["HUB_LISTEN", "HUB_STORE_URL"])
def test_the_environment_is_checked_too(load, name):
    with pytest.raises(ConfigError, match=name):
        load("", env={name: "nonsense"})


# -- references ------------------------------------------------------------------------------------
WITH_URL = """connectors:
  segment:
    type: segment
    settings: {{ write_key: "${{env:SEGMENT_WRITE_KEY}}", base_url: {} }}
"""


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ('"${env:URL}"', "https://one.example"),
        ('"${env:NONE:-https://two.example}"', "https://two.example"),
        ('"https://${env:HOST}/v1"', "https://host.example/v1"),
        # absent: the key is left out, so its default holds
        ('"${env:NONE?}"', "https://api.segment.io"),
        ('"https://x.example/$${env:HOST}"', "https://x.example/${env:HOST}"),
        # what a reference gives is never parsed again
        ('"${env:TRICK}"', "https://x.example/${env:HOST}"),
    ],
)
def test_a_reference_gives_its_text(load, text, url):
    env = {
        "URL": "https://one.example",
        "HOST": "host.example",
        "TRICK": "https://x.example/${env:HOST}",
    }
    made = load(WITH_URL.format(text), env=env)
    assert made.connectors["segment"].settings.base_url == url


def test_the_fields_type_decides_what_a_reference_becomes(load):
    made = load("defaults: { concurrency: '${env:N}', timeout: { total: '${env:T}' } }\n" + SEGMENT,
                env={"N": "3", "T": "20s"})  # fmt: skip
    assert (made.connectors["segment"].concurrency, made.connectors["segment"].total) == (3, 20.0)


def test_an_optional_item_is_left_out(load):
    head = 'version: 1\nstore: { encryption_keys: ["${env:HUB_KEY}", "${env:HUB_KEY_OLD?}"] }\n'
    assert len(load("", head=head).store.encryption_keys) == 1
    two = load("", head=head, env={"HUB_KEY_OLD": ENV["HUB_KEY"]}).store.encryption_keys
    assert len(two) == 2


def test_what_nothing_is_said_of_is_kept_as_long_as_the_store_has_it(load):
    said = 'version: 1\nstore: { encryption_keys: ["${env:HUB_KEY}"], retention: { dead: 90d } }\n'
    kept = dict(load("", head=said).store.retention)
    assert kept == dict(load("").store.retention) | {"dead": timedelta(days=90)}
    assert dict(load("").store.retention) == asdict(Terms())


def test_a_secret_comes_out_of_a_file_below_the_roots(load, tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/key").write_text("CANARY-in-a-file\n")
    made = load(
        "secrets: { file_roots: [kept] }\nconnectors:\n"
        '  segment: { type: segment, settings: { write_key: "${file:HERE/kept/key}" } }\n'
    )
    key = made.connectors["segment"].settings.write_key
    assert key.reveal() == b"CANARY-in-a-file"
    assert str(key) == f"‹secret:{tmp_path}/kept/key›"


def test_an_alias_stands_for_what_it_names(load):
    made = load(
        "connectors:\n"
        '  one: { type: segment, settings: &s { write_key: "${env:SEGMENT_WRITE_KEY}" } }\n'
        "  two: { type: segment, settings: *s }\n"
    )
    assert made.connectors["one"].settings == made.connectors["two"].settings


# -- includes, own events, plugins, mappings -------------------------------------------------------
def test_included_routes_come_after_the_files_own_in_the_order_of_names(load):
    route = (
        "routes: [{{ name: {}, on: shop.order.paid, do: segment.track, map: order-to-segment }}]\n"
    )
    made = load(
        'include: ["r?.yaml", connectors.yaml]\n' + route.format("own"),
        connectors_yaml=SEGMENT,
        r2_yaml=route.format("second").replace("paid", "placed"),
        r1_yaml=route.format("first").replace("paid", "created"),
    )
    assert [route.name for route in made.routes] == ["own", "first", "second"]


def test_an_event_of_the_shops_own_is_routed_with_its_data(load):
    schema = {"type": "object", "properties": {"customer": {"type": "string"}, "points": {}}}
    made = load(
        "include: [track.yaml]\n"
        "events: { loyalty.points_changed: { schema: points.json } }\n"
        "routes: [{ name: a, on: loyalty.points_changed, do: segment.track, map: track,\n"
        '  when: "{{ data.points > 0 }}", order_by: "{{ data.customer }}" }]\n' + SEGMENT,
        points_json=json.dumps(schema),
        track_yaml=TRACK,
    )
    assert made.events == {"loyalty.points_changed": schema}
    data = {"customer": "cus_1", "points": 3}
    event = Event(id="evt_1", type="loyalty.points_changed", at=NOW, data=data)
    (job,) = Router(made.routes).jobs_for(event, NOW)
    assert (job.lane, read_json(job.payload)["userId"]) == ("cus_1", "cus_1")
    event.data["points"] = 0
    assert Router(made.routes).jobs_for(event, NOW) == []


def test_a_field_that_an_own_schema_does_not_have_is_a_fault(load):
    with pytest.raises(ConfigError, match="has no field 'customr'"):
        load(
            "include: [track.yaml]\n"
            "events: { loyalty.points_changed: { schema: points.json } }\n" + SEGMENT,
            points_json='{"type": "object", "properties": {"customer": {}}}',
            track_yaml=TRACK.replace("data.customer", "data.customr"),
        )


def test_a_pattern_takes_every_event_below_it(load):
    made = load(
        "include: [track.yaml]\n"
        "connectors:\n"
        '  pay: { type: stripe, settings: { mode: test, api_key: "${env:STRIPE_API_KEY}" } }\n'
        '  segment: { type: segment, settings: { write_key: "${env:SEGMENT_WRITE_KEY}" } }\n'
        "routes: [{ name: a, on: pay.refund.*, do: segment.track, map: track }]\n",
        track_yaml=TRACK.replace("loyalty.points_changed", "pay.refund.created"),
    )
    event = Event(id="e", type="pay.refund.failed", at=NOW, data={"customer": "c"}, connector="pay")
    (job,) = Router(made.routes).jobs_for(event, NOW)
    assert job.state == "ready"


def test_a_mapping_of_the_admins_goes_before_the_shipped_one(load):
    own = (ROOT / "mappings/library/order-to-segment.yaml").read_text()
    made = load(
        "include: [own.yaml]\n" + SEGMENT + "routes:\n"
        "  - { name: a, on: shop.order.paid, do: segment.track, map: order-to-segment }\n",
        own_yaml=own.partition("tests:")[0].replace("Order Completed", "Ordered"),
    )
    (job,) = Router(made.routes).jobs_for(order("order_paid.json"), NOW)
    assert read_json(job.payload)["event"] == "Ordered"


def test_the_tests_in_a_mapping_run_when_it_is_checked(load, tmp_path):
    test = "tests: [{ name: one, given: { customer: c1 }, expect: { userId: c2 } }]\n"
    body = "include: [track.yaml]\n" + SEGMENT
    load(body, track_yaml=TRACK + test)  # a hub does not fail to start for them
    (fault,) = config.check(tmp_path / "config.yaml", ENV, shop=SHOP)
    assert (fault.code, Path(fault.file).name, fault.line) == ("mapping.test", "track.yaml", 5)


def test_a_connector_of_the_admins_own_is_found_beside_the_file(load, tmp_path):
    (tmp_path / "plugins/parcelo").mkdir(parents=True)
    (tmp_path / "plugins/parcelo/__init__.py").write_text(
        "from hub import Connector, ConnectorSettings, Secret\n"
        "class Parcelo(Connector):\n"
        "    type = 'parcelo'\n"
        "    class Settings(ConnectorSettings):\n"
        "        base_url: str = 'https://api.parcelo.example'\n"
        "        api_key: Secret\n"
    )
    made = load(
        "plugins: [plugins]\nconnectors:\n"
        '  parcelo: { type: parcelo, settings: { api_key: "${env:SEGMENT_WRITE_KEY}" } }\n'
    )
    assert made.connectors["parcelo"].cls.__name__ == "Parcelo"
    assert isinstance(made.connectors["parcelo"].settings.api_key, Secret)
    assert made.folders == (tmp_path / "plugins",)


def test_a_connector_that_cannot_be_imported_is_a_fault(load, tmp_path):
    (tmp_path / "plugins/broken").mkdir(parents=True)
    (tmp_path / "plugins/broken/__init__.py").write_text("import nothing_of_this_name\n")
    with pytest.raises(ConfigError, match="'broken' cannot be imported: ModuleNotFoundError"):
        load("plugins: [plugins]\nconnectors: { x: { type: broken } }\n")


# -- the hash, the installation, hostile files -----------------------------------------------------
def test_the_hash_is_of_the_text_and_not_of_the_secrets(load):
    first = load(SEGMENT)
    assert load(SEGMENT + "# a comment\n", env={"SEGMENT_WRITE_KEY": "other"}).hash == first.hash
    assert load(SEGMENT + "defaults: { concurrency: 9 }\n").hash != first.hash
    clear = SEGMENT.replace('"${env:SEGMENT_WRITE_KEY}"', "{}")
    assert load(clear.replace("{}", "in-clear")).hash == load(clear.replace("{}", "another")).hash


def test_another_distribution_with_a_package_of_our_name_is_a_fault():
    (fault,) = install.foreign({"hub": ["shop-hub"], "store": ["shop-hub", "store"]})
    assert "'store' brings a package 'store'" in fault.text


def test_a_package_that_lies_elsewhere_is_a_fault():
    homes = {"hub": Path("/a"), "store": Path("/b"), "webhooks": None}
    assert len(install.scattered(homes)) == 2


def test_this_installation_is_sound():
    assert install.check() == ()


SHIPPED = (ROOT / "config.yaml").read_text()


@settings(max_examples=60, deadline=None)
@given(
    at=st.integers(0, len(SHIPPED) - 1),
    cut=st.integers(0, 12),
    put=st.sampled_from(["", *"{}]'9\t\n\x00", ": ", "- ", "&a ", "*a", "${", "{{"]),
)
def test_no_spoilt_file_raises_anything_but_faults(tmp_path_factory, at, cut, put):
    home = tmp_path_factory.getbasetemp() / "spoilt"
    if not home.exists():
        shutil.copytree(ROOT / "config", home / "config")
    (home / "config.yaml").write_text(SHIPPED[:at] + put + SHIPPED[at + cut :])
    faults = config.check(home / "config.yaml", ENV, shop=SHOP)
    assert "CANARY" not in "\n".join(map(str, faults))


# -- strict ----------------------------------------------------------------------------------------
def test_a_mapping_that_reads_what_nobody_declared_is_told_where_all_is_asked_for(load, tmp_path):
    load(
        SEGMENT.replace("segment:", "stripe: { type: stripe, settings: { mode: test, api_key: "
                        '"${env:STRIPE_API_KEY}" } }\n  segment:')
        + "include: [map.yaml]\nroutes:\n"
        "  - { name: a, on: stripe.review.opened, do: segment.track, map: track }\n",
        map_yaml=TRACK.replace("loyalty.points_changed", "stripe.review.opened"),
    )  # fmt: skip
    path = tmp_path / "config.yaml"
    assert config.check(path, ENV, shop=SHOP) == []
    [told] = config.check(path, ENV, shop=SHOP, strict=True)
    place = (Path(told.file).name, told.line, told.col, told.code, told.warning)
    assert place == ("map.yaml", 2, 7, "mapping.untyped", True)
    assert told.text == "stripe.review.opened has no schema; what is read of it is not checked"
