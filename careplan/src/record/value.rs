//! Typed values.

use std::borrow::Cow;
use std::fmt;

use crate::calendar::{Date, Decimal, Time};
use crate::layout::{ItemType, LayoutItem};
use crate::month::Month;

/// What an item holds. Prints as the text that stands in the file, without quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Nothing (Null).
    Empty,
    /// A month.
    Month(Month),
    /// A date.
    Date(Date),
    /// A time.
    Time(Time),
    /// An integer.
    Integer(i64),
    /// A decimal.
    Decimal(Decimal),
    /// A code of the item's list, or letters and digits such as a number that begins with zero; what stands for no date,
    /// month or time (`9999`).
    Code(Cow<'a, str>),
    /// Free text.
    Text(Cow<'a, str>),
}

impl<'a> Value<'a> {
    /// The value of a text that has been judged to be what the item may hold.
    pub(super) fn of(item: &LayoutItem, text: Cow<'a, str>) -> Self {
        if text.is_empty() {
            return Self::Empty;
        }
        let typed = match item.item_type {
            ItemType::Month => text.parse().ok().map(Self::Month),
            ItemType::Date => text.parse().ok().map(Self::Date),
            ItemType::Time => text.parse().ok().map(Self::Time),
            ItemType::Decimal => text.parse().ok().map(Self::Decimal),
            // A leading zero would be lost; "-0" likewise.
            ItemType::Integer => {
                text.parse().ok().filter(|number: &i64| number.to_string() == text).map(Self::Integer)
            }
            ItemType::Text => return Self::Text(text),
            ItemType::PostalCode | ItemType::Alphanumeric | ItemType::Code | ItemType::Unused => None,
        };
        typed.unwrap_or(Self::Code(text))
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => Ok(()),
            Self::Month(month) => month.fmt(f),
            Self::Date(date) => date.fmt(f),
            Self::Time(time) => time.fmt(f),
            Self::Integer(number) => number.fmt(f),
            Self::Decimal(decimal) => decimal.fmt(f),
            Self::Code(text) | Self::Text(text) => f.write_str(text),
        }
    }
}
