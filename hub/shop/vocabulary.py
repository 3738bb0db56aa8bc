"""The shop's events as a configuration may name them."""

from hub.config.vocabulary import Vocabulary
from hub.shop.events import SCHEMAS, SHOP_EVENTS

VOCABULARY = Vocabulary(events=SHOP_EVENTS, models=SCHEMAS)
