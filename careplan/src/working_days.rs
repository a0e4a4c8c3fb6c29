//! Working days in Japan: not Saturday or Sunday, no national holiday, not 29 December to 3 January.
//!
//! Holidays follow the Act on National Holidays (国民の祝日に関する法律) as in force since 2022, computed: the equinoxes
//! by the usual approximation, which the Cabinet Office's published lists bear out. The turn of the year follows the Act on
//! Holidays of Administrative Organs (行政機関の休日に関する法律, article 1). A change of law is a change here.

/// Japan has no summer time.
const JAPAN_US: i64 = 9 * 3_600 * 1_000_000;
const DAY_US: i64 = 24 * 3_600 * 1_000_000;

/// The end, in Japan, of the `days`-th working day after the day on which a time lies; 0: of that day itself. Unix
/// microseconds.
pub fn end_of(began_us: i64, days: u32) -> i64 {
    let mut day = began_us.saturating_add(JAPAN_US).div_euclid(DAY_US);
    for _ in 0..days {
        day += 1;
        // A year has working days: at most eleven days in a row are none.
        while !is_working(day) {
            day += 1;
        }
    }
    (day + 1).saturating_mul(DAY_US).saturating_sub(JAPAN_US)
}

/// Whether a day (days since 1970-01-01) is a working day.
pub fn is_working(day: i64) -> bool {
    let date = Ymd::of(day);
    let turn_of_year = matches!((date.month, date.day), (12, 29..) | (1, ..=3));
    !turn_of_year && (1..=5).contains(&weekday(day)) && !is_holiday(day)
}

/// A national holiday, a substitute for one on a Sunday (第3条第2項), or a day between two holidays (第3条第3項).
fn is_holiday(day: i64) -> bool {
    if is_named(day) {
        return true;
    }
    // The first day that is no holiday, behind an unbroken row of holidays that holds a Sunday.
    let row = (1..=7).map(|back| day - back).take_while(|before| is_named(*before));
    if row.into_iter().any(|before| weekday(before) == 0) {
        return true;
    }
    is_named(day - 1) && is_named(day + 1)
}

/// Has a name of its own in article 2.
fn is_named(day: i64) -> bool {
    let Ymd { year, month, day: date } = Ymd::of(day);
    let nth_monday = |n: u8| weekday(day) == 1 && date.div_ceil(7) == n;
    match (month, date) {
        (1, 1) | (2, 11 | 23) | (4, 29) | (5, 3..=5) | (8, 11) | (11, 3 | 23) => true,
        (1 | 10, _) => nth_monday(2),
        (7, _) => nth_monday(3),
        (3, _) => i64::from(date) == equinox(year, 20_843_100),
        (9, _) => nth_monday(3) || i64::from(date) == equinox(year, 23_248_800),
        _ => false,
    }
}

/// Day of the month of an equinox: `base` is its moment in 1980, in millionths of a day. Good from 1980 to 2099.
fn equinox(year: i64, base: i64) -> i64 {
    let years = year - 1980;
    (base + 242_194 * years).div_euclid(1_000_000) - years.div_euclid(4)
}

/// 0 is Sunday.
fn weekday(day: i64) -> i64 {
    // 1970-01-01 was a Thursday.
    (day + 4).rem_euclid(7)
}

/// A date of the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ymd {
    year: i64,
    month: u8,
    day: u8,
}

impl Ymd {
    /// From days since 1970-01-01.
    fn of(day: i64) -> Self {
        let mut year = 1970 + day.div_euclid(366);
        let mut left = day - days_before(year);
        while left >= year_length(year) {
            left -= year_length(year);
            year += 1;
        }
        let mut month = 1;
        while left >= month_length(year, month) {
            left -= month_length(year, month);
            month += 1;
        }
        Self { year, month, day: u8::try_from(left + 1).unwrap_or(1) }
    }
}

/// Days from 1970-01-01 to the first of January of a year.
fn days_before(year: i64) -> i64 {
    let leap_days = |year: i64| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969)
}

fn is_leap(year: i64) -> bool {
    year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0)
}

fn year_length(year: i64) -> i64 {
    if is_leap(year) { 366 } else { 365 }
}

fn month_length(year: i64, month: u8) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(year: i64, month: u8, date: i64) -> i64 {
        days_before(year) + (1..month).map(|m| month_length(year, m)).sum::<i64>() + date - 1
    }

    #[test]
    fn dates_and_days_agree() {
        assert_eq!(Ymd::of(0), Ymd { year: 1970, month: 1, day: 1 });
        assert_eq!(day(2026, 11, 26), 20_783);
        for n in -1000..60_000 {
            let Ymd { year, month, day: date } = Ymd::of(n);
            assert_eq!(day(year, month, i64::from(date)), n);
        }
    }

    /// The lists of the Cabinet Office (内閣府「国民の祝日について」) for 2024 to 2027.
    #[test]
    fn holidays_are_the_published_ones() {
        // Month and day.
        let lists = [
            (
                2024,
                "0101 0108 0211 0212 0223 0320 0429 0503 0504 0505 0506 0715 \
              0811 0812 0916 0922 0923 1014 1103 1104 1123",
            ),
            (
                2025,
                "0101 0113 0211 0223 0224 0320 0429 0503 0504 0505 0506 \
              0721 0811 0915 0923 1013 1103 1123 1124",
            ),
            (
                2026,
                "0101 0112 0211 0223 0320 0429 0503 0504 0505 0506 0720 \
              0811 0921 0922 0923 1012 1103 1123",
            ),
            (
                2027,
                "0101 0111 0211 0223 0321 0322 0429 0503 0504 0505 \
              0719 0811 0920 0923 1011 1103 1123",
            ),
        ];
        for (year, list) in lists {
            let ours: Vec<String> = (day(year, 1, 1)..day(year + 1, 1, 1))
                .filter(|n| is_holiday(*n))
                .map(|n| format!("{:02}{:02}", Ymd::of(n).month, Ymd::of(n).day))
                .collect();
            assert_eq!(ours.join(" "), list, "{year}");
        }
    }

    #[test]
    fn waiting_ends_with_the_last_working_day() {
        let noon = |year, month, date| day(year, month, date) * DAY_US + 12 * 3_600 * 1_000_000 - JAPAN_US;
        let end = |year, month, date| (day(year, month, date) + 1) * DAY_US - JAPAN_US;
        // Friday 30 January 2026: Monday, Tuesday, Wednesday.
        assert_eq!(end_of(noon(2026, 1, 30), 3), end(2026, 2, 4));
        // Over the silver week of 2026 (Saturday 19 to Wednesday 23 September).
        assert_eq!(end_of(noon(2026, 9, 18), 1), end(2026, 9, 24));
        // Over the turn of the year: Monday 28 December 2026; Monday 4 January 2027 is the next.
        assert_eq!(end_of(noon(2026, 12, 28), 1), end(2027, 1, 4));
        assert_eq!(end_of(noon(2026, 2, 4), 0), end(2026, 2, 4));
        // 23:30 in London is the next day in Japan.
        let late = day(2026, 2, 3) * DAY_US + 23 * 3_600 * 1_000_000;
        assert_eq!(end_of(late, 1), end(2026, 2, 5));
    }
}
