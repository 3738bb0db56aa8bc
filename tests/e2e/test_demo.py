"""`hub demo`: one command on a fresh machine, and the whole story told."""

from pathlib import Path

from tests.e2e.stage import TRACEBACK, run


def test_the_demo_plays_an_order_and_exits_0_again_and_again(tmp_path: Path) -> None:
    done = run("demo", home=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert TRACEBACK not in done.stdout + done.stderr
    for told in ("stripe.create_payment", "shop.order.paid", "hubspot.associate",
                 "sendgrid.send_template", "segment.track", "sendgrid.delivered"):  # fmt: skip
        assert told in done.stdout
    home = tmp_path / "var" / "demo"
    kept = list((home / "secrets").iterdir())
    assert kept
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}
    assert not any(path.read_text() in done.stdout for path in kept)
    again = run("demo", home=tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
    assert run("verify", home=tmp_path, config=home / "config.yaml").returncode == 0
