"""The shop's events as a configuration may name them."""

from hub.shop.events import SCHEMAS, SHOP_EVENTS
from hub.config.vocabulary import Vocabulary

VOCABULARY = Vocabulary(events=SHOP_EVENTS, models=SCHEMAS)
