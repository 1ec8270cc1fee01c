//! What is listed, as rows: written in the order of the log, read newest first.
//!
//! A batch is applied to those rows that it touches, in memory, and what came of it is written in one
//! step. What lists a resource, and what is shown of it, is the projection's business.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ccd402_app::ports::log::Position;
use ccd402_app::projections::resources::{
    Candidate, Changes, Decided, LISTED_MAX, Resource, Terms,
};
use ccd402_domain::ids::VerificationId;
use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::codec::{get, json, number, text};
use super::failure::Failure;
use super::schema::{Build, RESOURCE_COLUMNS};
use crate::flat::{int, nanos};

/// Writes what events do to the list.
pub(super) async fn write(
    db: &mut PgConnection,
    build: &Build,
    changes: Changes,
) -> Result<(), Failure> {
    let Changes { mut decided, waiting } = changes;
    take_waiting(db, build, &mut decided).await?;
    let mut sightings = Vec::new();
    for Decided { candidate, confirmed, .. } in decided {
        sightings.extend(candidate.zip(confirmed));
    }
    if !sightings.is_empty() {
        let mut list = List::default();
        list.fetch(db, build, &sightings).await?;
        sightings.into_iter().for_each(|(candidate, at)| list.see(candidate, at));
        list.write(db, build).await?;
    }
    if !waiting.is_empty() {
        let ids: Vec<Uuid> = waiting.keys().map(|id| id.0).collect();
        let json = |candidate| serde_json::to_vec(candidate).expect("what is listed has a JSON");
        let candidates: Vec<Vec<u8>> = waiting.values().map(json).collect();
        let insert = format!(
            "INSERT INTO {} (id, candidate) SELECT * FROM unnest($1::uuid[], $2::bytea[])",
            build.table("waiting")
        );
        sqlx::query(AssertSqlSafe(insert)).bind(ids).bind(candidates).execute(db).await?;
    }
    Ok(())
}

/// Completes what was decided by what waited for it.
async fn take_waiting(
    db: &mut PgConnection,
    build: &Build,
    decided: &mut [Decided],
) -> Result<(), Failure> {
    let unknown = decided.iter().filter(|decided| decided.candidate.is_none());
    let ids: Vec<Uuid> = unknown.map(|decided| decided.verification.0).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let take = format!(
        "DELETE FROM {} WHERE id = ANY ($1) RETURNING id, candidate",
        build.table("waiting")
    );
    let mut taken: HashMap<VerificationId, Candidate> = HashMap::new();
    for row in sqlx::query(AssertSqlSafe(take)).bind(ids).fetch_all(db).await? {
        taken.insert(VerificationId(get(&row, 0)?), json(get(&row, 1)?)?);
    }
    for decided in decided {
        if let Some(candidate) = taken.remove(&decided.verification) {
            decided.candidate = Some(candidate);
        }
    }
    Ok(())
}

/// A method and a URL of a tenant's.
type Key = (String, String, String);

/// The rows that a batch touches.
#[derive(Default)]
struct List {
    /// By key, those that are there now; their terms where the batch names them.
    of: HashMap<Key, (Position, Vec<Terms>)>,
    /// Of each tenant that gets a resource more, all that are there now, oldest first.
    whole: HashMap<String, BTreeMap<Position, Key>>,
    /// Rows that were there before, and are not any more.
    gone: Vec<i64>,
    /// Rows that were not.
    new: BTreeMap<Position, Resource>,
}

impl List {
    async fn fetch(
        &mut self,
        db: &mut PgConnection,
        build: &Build,
        sightings: &[(Candidate, (Position, DateTime<Utc>))],
    ) -> Result<(), Failure> {
        let table = build.table("resources");
        let keys: BTreeSet<Key> = sightings.iter().map(|(candidate, _)| key(candidate)).collect();
        let tenants: Vec<&str> = keys.iter().map(|key| key.0.as_str()).collect();
        let methods: Vec<&str> = keys.iter().map(|key| key.1.as_str()).collect();
        let urls: Vec<&[u8]> = keys.iter().map(|key| key.2.as_bytes()).collect();
        let there = format!(
            "SELECT there.number, there.tenant, there.method, there.url, there.terms \
             FROM unnest($1::text[], $2::text[], $3::bytea[]) AS asked (tenant, method, url) \
             JOIN {table} AS there ON there.tenant = asked.tenant \
             AND there.method = asked.method AND there.url = asked.url"
        );
        let there = sqlx::query(AssertSqlSafe(there)).bind(tenants).bind(methods).bind(urls);
        for row in there.fetch_all(&mut *db).await? {
            let key = (get(&row, 1)?, get(&row, 2)?, text(&row, 3)?);
            let terms = json(get::<&str>(&row, 4)?.as_bytes())?;
            self.of.insert(key, (number(&row, 0)?, terms));
        }
        // Only where one is new may another have to go.
        let new = keys.iter().filter(|key| !self.of.contains_key(*key));
        let tenants: BTreeSet<String> = new.map(|key| key.0.clone()).collect();
        if tenants.is_empty() {
            return Ok(());
        }
        let tenants: Vec<String> = tenants.into_iter().collect();
        let all =
            format!("SELECT number, tenant, method, url FROM {table} WHERE tenant = ANY ($1)");
        let all = sqlx::query(AssertSqlSafe(all)).bind(&tenants).fetch_all(db).await?;
        self.whole = tenants.into_iter().map(|tenant| (tenant, BTreeMap::new())).collect();
        for row in all {
            let key: Key = (get(&row, 1)?, get(&row, 2)?, text(&row, 3)?);
            let number = number(&row, 0)?;
            self.of.entry(key.clone()).or_insert_with(|| (number, Vec::new()));
            if let Some(whole) = self.whole.get_mut(&key.0) {
                whole.insert(number, key);
            }
        }
        Ok(())
    }

    /// Puts a resource on top of the list, in place of what is there of it.
    fn see(&mut self, candidate: Candidate, at: (Position, DateTime<Utc>)) {
        let key = key(&candidate);
        let older = self.of.remove(&key).map(|(number, terms)| {
            self.remove(&key, number);
            terms
        });
        let is_new = older.is_none();
        let resource = candidate.list(older.unwrap_or_default(), at);
        self.of.insert(key.clone(), (resource.updated, resource.terms.clone()));
        if let Some(whole) = self.whole.get_mut(&key.0) {
            whole.insert(resource.updated, key.clone());
        }
        self.new.insert(resource.updated, resource);
        while is_new && let Some(oldest) = self.too_many(&key.0) {
            // Those that were not paid for the longest.
            if let Some((number, _)) = self.of.remove(&oldest) {
                self.remove(&oldest, number);
            }
        }
    }

    /// What has to go of a tenant's.
    fn too_many(&self, tenant: &str) -> Option<Key> {
        let whole = self.whole.get(tenant).filter(|whole| whole.len() > LISTED_MAX)?;
        whole.first_key_value().map(|(_, key)| key.clone())
    }

    fn remove(&mut self, key: &Key, number: Position) {
        if let Some(whole) = self.whole.get_mut(&key.0) {
            whole.remove(&number);
        }
        if self.new.remove(&number).is_none() {
            self.gone.push(int(number));
        }
    }

    async fn write(self, db: &mut PgConnection, build: &Build) -> Result<(), Failure> {
        let table = build.table("resources");
        if !self.gone.is_empty() {
            let remove = format!("DELETE FROM {table} WHERE number = ANY ($1)");
            sqlx::query(AssertSqlSafe(remove)).bind(&self.gone).execute(&mut *db).await?;
        }
        let insert = format!(
            "INSERT INTO {table} ({}) SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], \
             $4::bytea[], $5::bigint[], $6::bigint[], $7::bytea[], $8::text[], $9::bigint[], \
             $10::text[])",
            RESOURCE_COLUMNS.join(", ")
        );
        let new: Vec<&Resource> = self.new.values().collect();
        let terms = |new: &&Resource| serde_json::to_string(&new.terms).expect("terms have a JSON");
        let description =
            |new: &&'_ Resource| new.listing.description.clone().map(String::into_bytes);
        sqlx::query(AssertSqlSafe(insert))
            .bind(new.iter().map(|new| int(new.updated)).collect::<Vec<_>>())
            .bind(new.iter().map(|new| new.tenant.as_str()).collect::<Vec<_>>())
            .bind(new.iter().map(|new| new.listing.method.as_str()).collect::<Vec<_>>())
            .bind(new.iter().map(|new| new.listing.url.as_bytes()).collect::<Vec<_>>())
            .bind(new.iter().map(|new| nanos(new.updated_at)).collect::<Vec<_>>())
            .bind(new.iter().map(|new| int(new.listing.x402_version.into())).collect::<Vec<_>>())
            .bind(new.iter().map(description).collect::<Vec<_>>())
            .bind(new.iter().map(|new| new.listing.mime_type.as_deref()).collect::<Vec<_>>())
            .bind(new.iter().map(|new| int(new.listing.max_timeout_seconds)).collect::<Vec<_>>())
            .bind(new.iter().map(terms).collect::<Vec<_>>())
            .execute(db)
            .await?;
        Ok(())
    }
}

fn key(candidate: &Candidate) -> Key {
    let Candidate { tenant, listing, .. } = candidate;
    (tenant.to_string(), listing.method.clone(), listing.url.clone())
}
