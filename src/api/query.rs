//! Queries of URLs: pairs of names and values, each name known, each value of its type.

use std::str::FromStr;

use axum::extract::Query as Pairs;
use http::Uri;

use crate::problem::Problem;

/// The query of a URL; what was asked for is taken out of it.
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the query.
    ///
    /// # Errors
    /// Where it cannot be decoded.
    pub(crate) fn of(uri: &Uri) -> Result<Self, Problem> {
        let pairs = Pairs::try_from_uri(uri);
        pairs.map(|Pairs(pairs)| Self(pairs)).map_err(|_| Problem::malformed("what is this query?"))
    }

    /// Takes a value out.
    ///
    /// # Errors
    /// Where it is there twice, or is none of that type.
    pub(crate) fn take<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, Problem> {
        let mut values = self.take_whole(name);
        let Some(value) = values.pop() else { return Ok(None) };
        match value.parse() {
            Ok(value) if values.is_empty() => Ok(Some(value)),
            Ok(_) => Err(Problem::malformed(format!("{name} is in the query more than once"))),
            Err(_) => Err(Problem::malformed(format!("the value of {name} is not one"))),
        }
    }

    /// Takes all values of a name out; each may be several, with commas between them.
    pub(crate) fn take_all(&mut self, name: &str) -> Vec<String> {
        let values = self.take_whole(name);
        values.iter().flat_map(|value| value.split(',')).map(str::to_owned).collect()
    }

    /// Takes all values of a name out as they are: URLs may have commas.
    fn take_whole(&mut self, name: &str) -> Vec<String> {
        let taken = self.0.extract_if(.., |(found, _)| found == name);
        taken.map(|(_, value)| value).collect()
    }

    /// Nothing else was asked for.
    ///
    /// # Errors
    /// Names what is not known: a filter that is ignored shows too much.
    pub(crate) fn end(self) -> Result<(), Problem> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => {
                let name: String = name.chars().take(40).collect();
                Err(Problem::malformed(format!("{name:?} is no parameter of this route")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query::of(&format!("/x?{text}").parse().unwrap()).unwrap()
    }

    #[test]
    fn values_are_taken_once_and_nothing_may_be_left() {
        let mut asked = query("after=7&type=A,B&type=C");
        assert_eq!(asked.take::<u64>("after").unwrap(), Some(7));
        assert_eq!(asked.take::<u64>("limit").unwrap(), None);
        assert_eq!(asked.take_all("type"), ["A", "B", "C"]);
        asked.end().unwrap();
        let url = query("resource=https://a/?b,c").take::<String>("resource");
        assert_eq!(url.unwrap().as_deref(), Some("https://a/?b,c"));
        assert!(query("aftre=7").end().unwrap_err().detail.contains("aftre"));
        assert!(query("after=x").take::<u64>("after").is_err());
        assert!(query("after=1&after=2").take::<u64>("after").is_err());
    }
}
