"""The commands of docs/runbooks.md are followed on a hub that has something of each to show."""

import re

from hub.alerting import RUNBOOKS
from tests.docs.pages import ROOT, blocks, command_lines
from tests.e2e.shop import Shop

PAGE = (ROOT / RUNBOOKS).read_text("utf-8")


def followed() -> list[list[str]]:
    """Give every command of the page's blocks, each once."""
    found: dict[str, None] = {}
    for block in blocks("sh"):
        if block.page == RUNBOOKS:
            found |= dict.fromkeys(command_lines(block.text))
    return [line.split() for line in found]


def test_each_heading_has_commands_to_follow() -> None:
    heads = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    assert [head.split("\n")[0] for head in heads if "```sh" not in head] == []


async def test_the_commands_work_beside_a_running_hub(shop: Shop) -> None:
    await shop.fault("sendgrid", "drop")
    await shop.fault("sendgrid", "cut", path="/v3/mail/send")
    order, payment = await shop.orders("runbook@example.com", "tee")
    await shop.pays(payment)
    unsure = await shop.job_is(order["id"], "send_template", "uncertain")
    await shop.forget_faults()
    cli = shop.hub.cli
    told = {" ".join(line): cli(*line[1:]) for line in followed() if line[0] == "hub"}
    assert len(told) == len(followed()) >= 10
    assert unsure["id"] in told["hub jobs --state uncertain"]
    # What the text of job.uncertain and job.dead says to do next:
    cli("jobs", "settle", unsure["id"], "dead")
    assert unsure["id"] in cli("jobs", "--state", "dead", "--limit", "50")
    cli("jobs", "show", unsure["id"])
    cli("jobs", "retry", unsure["id"])
    await shop.job_is(order["id"], "send_template", "done")


def test_what_is_named_in_the_text_is_a_command_of_the_hub() -> None:
    words = re.findall(r"`hub ([a-z]+)(?: ([a-z]+))?", PAGE)
    table = (ROOT / "docs/cli.md").read_text("utf-8")
    known = set(re.findall(r"`(hub [a-z]+(?: [a-z]+)?)", table))
    assert {f"hub {' '.join(filter(None, pair))}" for pair in words} <= known
