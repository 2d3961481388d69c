"""Arguments of a Translator for tests: those of the default settings."""

from typing import Any

from steerway.config import Settings
from steerway.translate.dialect.envoy import Addresses


def translator_options(**values: Any) -> dict[str, Any]:
    """Keyword arguments; `values` replace those of the default settings."""
    settings = Settings()
    defaults = {
        "cluster_domain": settings.cluster_domain,
        "load_reporting": settings.load_reporting.enabled,
        "buckets": settings.subset_buckets,
        "listen": Addresses(settings.envoy.listen, settings.envoy.gateway_listen),
        "system_ca_file": settings.envoy.system_ca_file,
    }
    return defaults | values
