"""`hub config show`: each value with its origin, no secret among them."""

from hub.config.showing import values

FILE = """\
version: 1
service: { environment: "${env:HUB_ENV:-staging}", public_url: "${env:URL?}" }
store: { url: "postgresql+asyncpg://hub:CANARY-password@db/hub", encryption_keys: ["${env:KEY}"] }
include: ["more.yaml"]
connectors:
  seg: { type: segment, settings: { write_key: "${env:WRITE}" } }
  other: { type: nobody, settings: { deep: { secret: CANARY-literal } } }
"""
MORE = (
    "connectors: { mail: { type: sendgrid, settings: { api_key: CANARY-clear, from: a@b.de } } }\n"
)
ENV = {"KEY": "CANARY-key", "WRITE": "CANARY-write", "HUB_LISTEN": "0.0.0.0:9"}


def shown(tmp_path, *, resolved, env=ENV):
    (tmp_path / "config.yaml").write_text(FILE)
    (tmp_path / "more.yaml").write_text(MORE)
    rows = values(tmp_path / "config.yaml", env, resolved=resolved)
    assert "CANARY" not in str(rows)
    return {row.key: (row.value, row.origin.replace(str(tmp_path), "HERE")) for row in rows}


def test_as_written_references_stand_as_they_are(tmp_path):
    rows = shown(tmp_path, resolved=False)
    assert rows["store.encryption_keys[0]"] == ("${env:KEY}", "HERE/config.yaml:3")
    assert rows["connectors.seg.settings.write_key"][0] == "${env:WRITE}"
    assert rows["connectors.mail.settings.api_key"] == ("‹secret:api_key›", "HERE/more.yaml:1")
    assert rows["service.environment"][0] == "${env:HUB_ENV:-staging}"
    assert "service.lease" not in rows


def test_resolved_each_value_says_where_it_is_from(tmp_path):
    rows = shown(tmp_path, resolved=True)
    assert rows["service.environment"] == ("staging", "HERE/config.yaml:2, env HUB_ENV")
    assert "service.public_url" not in rows
    assert rows["service.lease"] == ("1m", "default")
    assert rows["store.retention.dead"] == ("180d", "default")
    assert rows["store.encryption_keys[0]"][0] == "‹secret:KEY›"
    assert rows["store.url"][0] == "postgresql+asyncpg://hub:‹masked›@db/hub"
    assert rows["connectors.seg.settings.base_url"] == ("https://api.segment.io", "default")
    assert rows["service.listen"] == ("0.0.0.0:9", "env HUB_LISTEN")
    assert rows["connectors.other.settings"][0] == "‹secret:?›"


def test_what_is_not_set_is_said(tmp_path):
    assert shown(tmp_path, resolved=True, env={})["store.encryption_keys[0]"][0] == "‹secret:KEY›"
    (tmp_path / "config.yaml").write_text('version: 1\nservice: { public_url: "${env:NO}" }\n')
    rows = {row.key: row.value for row in values(tmp_path / "config.yaml", {}, resolved=True)}
    assert rows["service.public_url"] == "‹not set›"
