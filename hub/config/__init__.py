"""config.yaml, from text to one frozen Config, or all that is wrong with it: see loading."""

from hub.config.loading import Config, check, load

__all__ = ["Config", "check", "load"]
