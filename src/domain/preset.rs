//! Presets of identity requirements, written out to statements for the day they are asked on.

use ccd402_protocol::identity::{AtomicStatement, IdentityRequirement};
use chrono::{Datelike, NaiveDate};

/// Before any date of birth that an identity document shows.
const DOB_LOWER: &str = "18000101";
/// Oldest age that can be asked for.
const AGE_YEARS_MAX: u32 = 150;

/// What a route asks its payers to prove, as configuration says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preset {
    /// Years of age at least.
    pub min_age: Option<u32>,
    /// Nationalities (ISO 3166-1 alpha-2) that are accepted.
    pub nationality_in: Vec<String>,
    /// Nationalities that are not.
    pub nationality_not_in: Vec<String>,
    /// Countries of residence that are accepted.
    pub residence_in: Vec<String>,
    /// Countries of residence that are not.
    pub residence_not_in: Vec<String>,
    /// Identity providers that are accepted; empty means all.
    pub issuers: Vec<u32>,
}

/// A preset that no one can meet or that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PresetError {
    /// An age out of range.
    #[error("min-age must be 1 to {AGE_YEARS_MAX} years")]
    Age,
    /// Not two capital letters.
    #[error("{0:?} is not a country code of two capital letters")]
    Country(String),
    /// Issuers of proofs that nobody is asked for.
    #[error("issuers are listed, but nothing must be proven: say what, or `issuers = []`")]
    IssuersAlone,
}

impl Preset {
    /// Whether it asks for nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self { issuers: self.issuers.clone(), ..Self::default() }
    }

    /// The statements as of `today` (UTC); `None` where nothing is asked for.
    ///
    /// # Errors
    /// Where the preset makes no sense; found at start, not at the first request.
    pub fn requirement(
        &self,
        today: NaiveDate,
    ) -> Result<Option<IdentityRequirement>, PresetError> {
        if self.is_empty() {
            // Whoever lists issuers means to keep somebody out.
            return if self.issuers.is_empty() { Ok(None) } else { Err(PresetError::IssuersAlone) };
        }
        let mut statement = Vec::new();
        if let Some(years) = self.min_age {
            statement.push(min_age(years, today)?);
        }
        let lists = [
            ("nationality", &self.nationality_in, true),
            ("nationality", &self.nationality_not_in, false),
            ("countryOfResidence", &self.residence_in, true),
            ("countryOfResidence", &self.residence_not_in, false),
        ];
        for (tag, countries, is_in) in lists {
            statement.extend(countries_statement(tag, countries, is_in)?);
        }
        let issuers = (!self.issuers.is_empty()).then(|| self.issuers.clone());
        Ok(Some(IdentityRequirement { statement, issuers, valid_for: None }))
    }
}

/// Born on or before the day that lies `years` back. The range's upper end is exclusive, hence the
/// day after it.
fn min_age(years: u32, today: NaiveDate) -> Result<AtomicStatement, PresetError> {
    if !(1..=AGE_YEARS_MAX).contains(&years) {
        return Err(PresetError::Age);
    }
    let year = today.year() - i32::try_from(years).map_err(|_| PresetError::Age)?;
    // Who was born on 29 February comes of age on 1 March in a common year.
    let birthday = NaiveDate::from_ymd_opt(year, today.month(), today.day())
        .or_else(|| NaiveDate::from_ymd_opt(year, 2, 28))
        .ok_or(PresetError::Age)?;
    let upper = birthday.succ_opt().ok_or(PresetError::Age)?;
    Ok(AtomicStatement::AttributeInRange {
        attribute_tag: "dob".to_owned(),
        lower: DOB_LOWER.to_owned(),
        upper: upper.format("%Y%m%d").to_string(),
    })
}

fn countries_statement(
    tag: &str,
    countries: &[String],
    is_in: bool,
) -> Result<Option<AtomicStatement>, PresetError> {
    let is_code = |text: &&String| text.len() != 2 || !text.bytes().all(|b| b.is_ascii_uppercase());
    if let Some(odd) = countries.iter().find(is_code) {
        return Err(PresetError::Country(odd.clone()));
    }
    if countries.is_empty() {
        return Ok(None);
    }
    let mut set = countries.to_vec();
    set.sort();
    set.dedup();
    let attribute_tag = tag.to_owned();
    Ok(Some(if is_in {
        AtomicStatement::AttributeInSet { attribute_tag, set }
    } else {
        AtomicStatement::AttributeNotInSet { attribute_tag, set }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upper_bound(years: u32, today: (i32, u32, u32)) -> String {
        let today = NaiveDate::from_ymd_opt(today.0, today.1, today.2).unwrap();
        match min_age(years, today).unwrap() {
            AtomicStatement::AttributeInRange { upper, .. } => upper,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_birthday_itself_is_old_enough() {
        assert_eq!(upper_bound(18, (2026, 11, 22)), "20081123");
        assert_eq!(upper_bound(18, (2026, 12, 31)), "20090101");
    }

    #[test]
    fn leap_days_have_a_birthday_every_year() {
        assert_eq!(upper_bound(18, (2028, 2, 29)), "20100301");
        assert_eq!(upper_bound(20, (2028, 2, 29)), "20080301");
    }

    #[test]
    fn nonsense_is_refused() {
        let today = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
        let issuers = Preset { issuers: vec![0], ..Preset::default() };
        assert_eq!(issuers.requirement(today), Err(PresetError::IssuersAlone));
        assert_eq!(min_age(0, today), Err(PresetError::Age));
        let preset = Preset { residence_in: vec!["Denmark".into()], ..Preset::default() };
        assert_eq!(preset.requirement(today), Err(PresetError::Country("Denmark".into())));
        assert_eq!(Preset::default().requirement(today), Ok(None));
    }
}
