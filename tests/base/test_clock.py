from smackbox.base.clock import FakeClock, SystemClock


def test_a_fake_clock_moves_only_when_told() -> None:
    clock = FakeClock(start_wall_ms=1_000)
    assert (clock.wall_ms(), clock.wall_us(), clock.monotonic_ms()) == (1_000, 1_000_000, 0)
    clock.advance_ms(250)
    assert (clock.wall_ms(), clock.wall_us(), clock.monotonic_ms()) == (1_250, 1_250_000, 250)


def test_the_system_clock_uses_one_unit_throughout() -> None:
    clock = SystemClock()
    assert clock.wall_us() // 1_000_000 - clock.wall_ms() // 1_000 in {-1, 0}
    assert clock.monotonic_ms() <= clock.monotonic_ms()
