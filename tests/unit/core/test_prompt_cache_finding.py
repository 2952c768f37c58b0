"""What the dollars of a finding stand for."""

from core.prompt_cache.finding import Finding, notional_usd


def test_every_kind_of_dollars_is_told_and_none_is_below_zero() -> None:
    found = Finding("evicted", lost_usd=3.0, missed_usd=0.0, saved_usd=-1.5, fee_usd=2.0)
    assert found.dollars == {"loss": 3.0, "saving": 0.5, "fee": 2.0}
    assert Finding("expired", missed_usd=4.0, saved_usd=-2.0, fee_usd=2.0).dollars == {"missed": 4.0, "fee": 2.0}


def test_reading_that_is_dearer_than_plain_input_has_a_fee() -> None:
    assert Finding("hit", saved_usd=-3.0, fee_usd=1.0).dollars == {"fee": 3.0}


def test_what_is_unknown_is_not_told() -> None:
    assert Finding("evicted", lost_usd=None, missed_usd=None, saved_usd=None, fee_usd=1.0).dollars == {"fee": 1.0}
    assert Finding("unreported").dollars == {}


def test_a_write_in_vain_is_waste_and_nothing_that_was_missed() -> None:
    assert Finding("write_waste", missed=10, missed_usd=2.0).dollars == {"waste": 2.0}
    assert Finding("write_waste", missed=10, missed_usd=None).dollars == {}


def test_dollars_are_notional_where_nobody_pays_them() -> None:
    assert notional_usd(Finding("evicted", lost_usd=3.0)) == {}
    assert notional_usd(Finding("evicted", lost_usd=3.0, notional=True)) == {"loss": 3.0}
