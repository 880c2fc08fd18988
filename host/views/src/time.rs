//! Times and durations in words.

/// A time of day in UTC: `02:51:07Z`.
pub fn clock_time(unix_ms: u64) -> String {
    let seconds = unix_ms / 1000 % 86_400;
    format!("{:02}:{:02}:{:02}Z", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// A date and time in UTC: `2001-02-03 04:05`.
pub(crate) fn date_time(unix_ms: u64) -> String {
    format!("{} {}", date(unix_ms), &clock_time(unix_ms)[..5])
}

/// A point in time as RFC 3339 has it, in UTC with milliseconds: `2001-02-03T04:05:06.789Z`.
pub fn timestamp(unix_ms: u64) -> String {
    format!("{}T{}.{:03}Z", date(unix_ms), &clock_time(unix_ms)[..8], unix_ms % 1000)
}

/// A date in UTC: `2001-02-03`.
fn date(unix_ms: u64) -> String {
    // Days to a civil date, after Howard Hinnant's `civil_from_days`, for days since 1970.
    let days = unix_ms / 86_400_000 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// A duration: `0.4s`, `12s`, `3m05s`, `2h07m`, `3d04h`.
pub fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..10 => format!("{}.{}s", seconds, ms % 1000 / 100),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date_time(0), "1970-01-01 00:00");
        assert_eq!(date_time(951_782_400_000), "2000-02-29 00:00");
        assert_eq!(date_time(981_173_106_000), "2001-02-03 04:05");
        assert_eq!(clock_time(981_173_106_000), "04:05:06Z");
        assert_eq!(timestamp(981_173_106_007), "2001-02-03T04:05:06.007Z");
    }

    #[test]
    fn durations_keep_two_units() {
        let cases = [(400, "0.4s"), (59_999, "59s"), (185_000, "3m05s"), (7_620_000, "2h07m")];
        for (ms, text) in cases {
            assert_eq!(duration(ms), text);
        }
    }
}
