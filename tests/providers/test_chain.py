"""Which sources may answer a zone, in which order, and that none that counts something else is mixed in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from gridgram.quality import Scope, Signal
from providers.chain import candidates
from providers.registry import load_providers
from tests.providers.test_engine import TOY

if TYPE_CHECKING:
    from providers.base import Provider

ALL = load_providers()


def toy(name: str, *, scope: Scope = Scope.PRODUCTION, needs_key: bool = False, **more: Any) -> Provider:
    return replace(TOY, info=replace(TOY.info, name=name, scope=(scope,), needs_key=needs_key), **more)


def order_of(*providers: Provider, order: tuple[str, ...] = (), off: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    def why_off(provider: Provider) -> str:
        return "off" if provider.info.name in off else ""

    return [(found.provider.info.name, found.refusal) for found in candidates("FR", Signal.LIFECYCLE, providers, why_off, order)]


def test_measured_comes_before_modelled_keyless_before_keyed_finer_before_coarser_and_few_requests_before_many() -> None:
    modelled = toy("a-model", is_model=True, resolution_minutes=5)
    keyed = toy("b-keyed", needs_key=True, resolution_minutes=5)
    coarse = toy("c-coarse", resolution_minutes=60)
    many = toy("d-many", resolution_minutes=15, requests_per_day=24)
    fine = toy("e-fine", resolution_minutes=15)

    assert [name for name, _ in order_of(modelled, keyed, coarse, many, fine)] == ["e-fine", "d-many", "c-coarse", "b-keyed", "a-model"]


def test_the_operators_order_comes_before_all_that() -> None:
    assert [name for name, _ in order_of(toy("a"), toy("b"), toy("c"), order=("c", "b"))] == ["c", "b", "a"]


def test_a_source_that_counts_something_else_than_the_first_is_refused_and_not_converted() -> None:
    traced = toy("traced", scope=Scope.CONSUMPTION, is_model=True)

    assert order_of(toy("own"), traced) == [("own", ""), ("traced", "it counts consumption, while own counts production")]
    assert order_of(toy("own"), traced, off=("own",)) == [("own", "off"), ("traced", "")]


@pytest.mark.parametrize("zone", ["FR", "DE", "GB", "US-CAL-CISO", "AU-NSW", "CN", "JP-TK", "CA-ON", "BR-CS", "CA-QC"])
@pytest.mark.parametrize("signal", list(Signal))
def test_no_chain_of_real_sources_mixes_scopes(zone: str, signal: Signal) -> None:
    asked = [found.provider for found in candidates(zone, signal, ALL.values(), lambda _: "") if found.may_answer]

    assert len({provider.info.scope[0] for provider in asked}) <= 1
    assert all(signal in provider.info.signals for provider in asked)


def test_the_only_hourly_source_of_china_is_electricity_maps_and_needs_a_key() -> None:
    (only,) = candidates("CN", Signal.LIFECYCLE, ALL.values(), lambda _: "")

    assert (only.provider.info.name, only.provider.info.needs_key) == ("electricity_maps", True)
