//! What is listed, as rows: written in the order of the log, read newest first.
//!
//! What lists a resource, and what is shown of it, is the projection's business.

use ccd402_app::ports::log::Position;
use ccd402_app::ports::read_model::{RESOURCES_MAX, ReadModelError as Error, Shelf};
use ccd402_app::projections::resources::{Candidate, Changes, LISTED_MAX, Resource, Terms};
use ccd402_domain::ids::VerificationId;
use ccd402_domain::listing::Listing;
use ccd402_protocol::version::X402Version;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::codec::{Values, get, number, parse};
use super::failure;
use super::live::Live;
use super::schema::RESOURCE_COLUMNS;
use crate::flat::{int, nanos, time};

/// Writes what events do to the list.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    changes: Changes,
) -> Result<(), Error> {
    // Where nobody sells so, each batch costs one look at an empty table.
    let may_wait = !changes.decided.is_empty() && does_any_wait(connection).await?;
    for decided in changes.decided {
        let candidate = match decided.candidate {
            None if may_wait => take_waiting(connection, decided.verification).await?,
            candidate => candidate,
        };
        if let (Some(candidate), Some(at)) = (candidate, decided.confirmed) {
            list(connection, candidate, at).await?;
        }
    }
    for (verification, candidate) in &changes.waiting {
        let json = serde_json::to_string(candidate).expect("what is listed has a JSON");
        sqlx::query("INSERT INTO waiting VALUES (?1, ?2)")
            .bind(verification.0.to_string())
            .bind(json)
            .execute(&mut *connection)
            .await
            .map_err(failure)?;
    }
    Ok(())
}

async fn does_any_wait(connection: &mut SqliteConnection) -> Result<bool, Error> {
    let query = sqlx::query("SELECT EXISTS (SELECT 1 FROM waiting)");
    let found = query.fetch_one(connection).await.map_err(failure)?;
    get(&found, 0)
}

async fn take_waiting(
    connection: &mut SqliteConnection,
    verification: VerificationId,
) -> Result<Option<Candidate>, Error> {
    let found = sqlx::query("DELETE FROM waiting WHERE id = ?1 RETURNING candidate")
        .bind(verification.0.to_string())
        .fetch_optional(connection)
        .await
        .map_err(failure)?;
    found.as_ref().map(|row| json(row, 0)).transpose()
}

/// Puts a resource on top of the list, in place of what is there of it.
async fn list(
    connection: &mut SqliteConnection,
    candidate: Candidate,
    at: (Position, DateTime<Utc>),
) -> Result<(), Error> {
    let Candidate { tenant, listing, .. } = &candidate;
    let before = sqlx::query(
        "DELETE FROM resources WHERE tenant = ?1 AND method = ?2 AND url = ?3 RETURNING terms",
    )
    .bind(tenant.as_str().to_owned())
    .bind(listing.method.clone())
    .bind(listing.url.clone())
    .fetch_optional(&mut *connection)
    .await
    .map_err(failure)?;
    let older: Option<Vec<Terms>> = before.as_ref().map(|row| json(row, 0)).transpose()?;
    let is_new = older.is_none();
    let resource = candidate.list(older.unwrap_or_default(), at);
    insert(connection, &resource).await?;
    if is_new {
        drop_oldest(connection, &resource).await?;
    }
    Ok(())
}

async fn insert(connection: &mut SqliteConnection, resource: &Resource) -> Result<(), Error> {
    let Resource { tenant, listing, terms, updated, updated_at } = resource;
    let mut values = Values::default();
    values.count(*updated);
    values.text(tenant.as_str());
    values.text(listing.method.as_str());
    values.text(listing.url.as_str());
    values.int(nanos(*updated_at));
    values.count(listing.x402_version.into());
    values.maybe_text(listing.description.clone());
    values.maybe_text(listing.mime_type.clone());
    values.count(listing.max_timeout_seconds);
    values.text(serde_json::to_string(terms).expect("terms have a JSON"));
    sqlx::query_with("INSERT INTO resources VALUES (?,?,?,?,?,?,?,?,?,?)", values.into_arguments())
        .execute(connection)
        .await
        .map_err(failure)?;
    Ok(())
}

/// Of a tenant's that are too many, those that were not paid for the longest.
async fn drop_oldest(connection: &mut SqliteConnection, newest: &Resource) -> Result<(), Error> {
    sqlx::query(
        "DELETE FROM resources WHERE tenant = ?1 AND number <= (SELECT number FROM resources \
         WHERE tenant = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)",
    )
    .bind(newest.tenant.as_str().to_owned())
    .bind(LISTED_MAX as i64)
    .execute(connection)
    .await
    .map_err(failure)?;
    Ok(())
}

/// A part of the list.
pub(super) async fn page(live: &Live, skip: u64, max: usize) -> Result<Shelf, Error> {
    let mut view = live.view().await?;
    let columns = RESOURCE_COLUMNS.join(", ");
    let query = format!("SELECT {columns} FROM resources ORDER BY number DESC LIMIT ?1 OFFSET ?2");
    // Made of constants alone.
    let found = sqlx::query(AssertSqlSafe(query))
        .bind(max.min(RESOURCES_MAX) as i64)
        .bind(int(skip))
        .fetch_all(&mut *view.transaction)
        .await
        .map_err(failure)?;
    let resources = found.iter().map(row).collect::<Result<_, _>>()?;
    let count = sqlx::query("SELECT count(*) FROM resources");
    let count = count.fetch_one(&mut *view.transaction).await.map_err(failure)?;
    Ok(Shelf { as_of: view.as_of, resources, total: number(&count, 0)? })
}

fn row(read: &SqliteRow) -> Result<Resource, Error> {
    let version = X402Version::try_from(number(read, 5)?);
    Ok(Resource {
        updated: number(read, 0)?,
        tenant: parse(read, 1)?,
        updated_at: time(get(read, 4)?),
        listing: Listing {
            method: get(read, 2)?,
            url: get(read, 3)?,
            x402_version: version.map_err(|error| Error::Damaged(error.to_string()))?,
            description: get(read, 6)?,
            mime_type: get(read, 7)?,
            max_timeout_seconds: number(read, 8)?,
        },
        terms: json(read, 9)?,
    })
}

fn json<T: DeserializeOwned>(read: &SqliteRow, at: usize) -> Result<T, Error> {
    let text = get::<&str>(read, at)?;
    serde_json::from_str(text).map_err(|error| Error::Damaged(error.to_string()))
}
