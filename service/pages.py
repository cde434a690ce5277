"""Pages of the documents that are made from code: `python -m service.pages > docs/providers.md`."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING

from providers.registry import load_providers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from providers.base import Provider

INTRODUCTION = """# Sources

Made from what each source says about itself (`providers/*.py`); `gridgram providers` prints the same with how each is doing,
`gridgram providers check NAME` asks one for its newest day, and `gridgram zones FR --explain` tells which are asked for a zone and why
others are not.

A source without a key is used as it is. One with a key is used once `GRIDGRAM_PROVIDERS__NAME__KEY` is set ([settings.md](settings.md)).
`GRIDGRAM_OFFLINE=1` asks none. For a zone and a signal the sources are asked in this order: measured before modelled, keyless before
keyed, finer before coarser, few requests before many; `GRIDGRAM_PROVIDER_ORDER` comes before all that. The first sets the scope, and
a source that counts something else is not mixed in. A day is asked for again every ten minutes while it is one of the last two, every
six hours until the source has settled it, once a day where the source did not have it, and after a minute where it did not answer.
"""


def providers_page(providers: Mapping[str, Provider]) -> str:
    """The page about all sources."""
    return "\n".join([INTRODUCTION, *(_section(provider) for _, provider in sorted(providers.items()))])


def _section(provider: Provider) -> str:
    info = provider.info
    needed = ", ".join(f"`GRIDGRAM_PROVIDERS__{provider.settings_name.upper()}__{name.upper()}`" for name in provider.needed_settings)
    facts = {
        "offers": ", ".join(info.offers) + (f"; a forecast of {_span(provider.forecast_span)}" if provider.forecast_span else ""),
        "counts": f"{', '.join(signal.value for signal in info.signals)}; {', '.join(scope.value for scope in info.scope)}",
        "mix": f"generation by fuel, in {provider.mix_unit.value}" if provider.mix_unit else "",
        "zones": ", ".join(sorted(provider.zones)),
        "step": f"{provider.resolution_minutes} minutes, {_span(provider.lag)} late, final after {_span(provider.settles_after)}",
        "history from": f"{provider.history_from:%Y-%m-%d}" if provider.history_from else "",
        "asks": f"at most {_span(provider.longest_span)} a request, {provider.requests_per_minute:g} requests a minute",
        "needs": needed,
        "licence": f"{info.licence}; {info.attribution}",
        "more": info.url,
    }
    rows = "\n".join(f"| {name} | {text} |" for name, text in facts.items() if text)
    return f"## {info.name}\n\n{info.title}. {info.detail}\n\n| | |\n|---|---|\n{rows}\n"


def _span(span: timedelta) -> str:
    if span >= timedelta(days=2):
        return f"{span / timedelta(days=1):g} days"
    return f"{span / timedelta(hours=1):g} h" if span >= timedelta(hours=2) else f"{span / timedelta(minutes=1):g} min"


if __name__ == "__main__":
    sys.stdout.write(providers_page(load_providers()))
