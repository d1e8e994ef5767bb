"""The PID rate: the next batch follows the measured rate, within its bounds."""

from __future__ import annotations

from smackbox.spark.streaming.rate import MIN_RATE, MIN_ROWS, PidRate


def test_before_the_first_batch_only_the_limit_holds() -> None:
    assert PidRate(1.0).rows(20_000) == 20_000


def test_the_rate_is_what_was_processed_and_falls_behind_no_further() -> None:
    pid = PidRate(1.0)
    pid.completed(10.0, 20_000, 2.0)
    assert pid.rows(20_000) == 10_000
    pid.completed(11.0, 10_000, 1.0)
    assert pid.rate == 10_000, "a batch that ends in its time changes nothing"


def test_a_batch_that_took_too_long_is_made_up_for_by_a_smaller_one() -> None:
    pid = PidRate(1.0)
    pid.completed(0.0, 10_000, 1.0)
    pid.completed(2.0, 10_000, 2.0)
    # 10,000 - 1.0 * (10,000 - 5,000) - 0.2 * (1 s late * 5,000/s)
    assert pid.rate == 4_000


def test_the_derivative_counts_where_it_is_asked_for() -> None:
    pid = PidRate(1.0, derived=0.5)
    pid.completed(0.0, 10_000, 1.0)
    pid.completed(2.0, 8_000, 1.0)
    # error 2,000 where it was 0, two seconds before
    assert pid.rate == 10_000 - 2_000 - 0.5 * 1_000


def test_the_rate_rises_again_and_has_a_floor() -> None:
    pid = PidRate(1.0)
    pid.completed(0.0, 1_000, 50.0)
    assert pid.rate == MIN_RATE
    assert pid.rows(20_000) == MIN_ROWS, "so many rows are always taken"
    assert pid.rows(10) == 10
    pid.completed(60.0, 1_000, 0.1)
    assert pid.rate == 10_000


def test_batches_without_records_or_time_teach_nothing() -> None:
    pid = PidRate(1.0)
    pid.completed(0.0, 0, 1.0)
    assert pid.rate is None
    pid.completed(1.0, 10_000, 1.0)
    pid.completed(1.0, 1, 1.0)
    assert pid.rate == 10_000
