"""Settings and where they come from. Light to import; nothing is read before `load_settings` is called."""

from lambdamagic.config.load import ENV_PREFIX, ResolvedSettings, load_settings
from lambdamagic.config.settings import DEFAULTS, SPECS, Settings

__all__ = ["DEFAULTS", "ENV_PREFIX", "SPECS", "ResolvedSettings", "Settings", "load_settings"]
