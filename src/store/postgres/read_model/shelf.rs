//! A part of what is listed for strangers.

use ccd402_app::ports::read_model::{RESOURCES_MAX, ReadModelError as Error, Shelf};
use ccd402_app::projections::resources::Resource;
use ccd402_domain::listing::Listing;
use ccd402_protocol::version::X402Version;
use sqlx::QueryBuilder;
use sqlx::postgres::PgRow;

use super::codec::{get, json, maybe_text, number, parse, text};
use super::failure::Failure;
use super::schema::RESOURCE_COLUMNS;
use super::view::{Question, View};
use crate::flat::{int, time};

/// One part.
pub(super) struct Part {
    pub(super) skip: u64,
    pub(super) max: usize,
}

impl Question for Part {
    type Answer = Shelf;

    async fn ask(&self, view: &mut View) -> Result<Shelf, Failure> {
        let (columns, table) = (RESOURCE_COLUMNS.join(", "), view.build.table("resources"));
        let max = self.max.min(RESOURCES_MAX);
        let mut query = QueryBuilder::new(format!(
            "SELECT {columns} FROM {table} ORDER BY number DESC LIMIT {max} OFFSET "
        ));
        query.push_bind(int(self.skip));
        let found = view.rows(&mut query).await?;
        let resources = found.iter().map(row).collect::<Result<_, _>>()?;
        let mut count = QueryBuilder::new(format!("SELECT count(*) FROM {table}"));
        let count = view.rows(&mut count).await?;
        let total = count.first().map_or(Ok(0), |row| number(row, 0))?;
        Ok(Shelf { as_of: view.as_of, resources, total })
    }
}

fn row(read: &PgRow) -> Result<Resource, Error> {
    let version = X402Version::try_from(number(read, 5)?);
    Ok(Resource {
        updated: number(read, 0)?,
        tenant: parse(read, 1)?,
        updated_at: time(get(read, 4)?),
        listing: Listing {
            method: get(read, 2)?,
            url: text(read, 3)?,
            x402_version: version.map_err(|error| Error::Damaged(error.to_string()))?,
            description: maybe_text(read, 6)?,
            mime_type: get(read, 7)?,
            max_timeout_seconds: number(read, 8)?,
        },
        terms: json(get::<&str>(read, 9)?.as_bytes())?,
    })
}
