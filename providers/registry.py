"""All providers, found by being there: every module of this package that holds a `PROVIDER` or `PROVIDERS`."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

import providers

if TYPE_CHECKING:
    from providers.base import Provider


def load_providers() -> dict[str, Provider]:
    """Import the package's modules and gather their providers by name. Raises ValueError when two have one name."""
    found: dict[str, Provider] = {}
    for module in sorted(pkgutil.iter_modules(providers.__path__), key=lambda module: module.name):
        loaded = importlib.import_module(f"providers.{module.name}")
        held = getattr(loaded, "PROVIDERS", None) or ((loaded.PROVIDER,) if hasattr(loaded, "PROVIDER") else ())
        for provider in held:
            if provider.info.name in found:
                raise ValueError(f"two providers are named {provider.info.name!r}")
            found[provider.info.name] = provider
    return found
