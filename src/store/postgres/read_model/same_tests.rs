//! The read model in PostgreSQL answers as the one in SQLite does, whatever has happened.

use ccd402_app::contract::sample::{
    block, confirmed, failed_because, network, other_network, payment, time, transaction,
    verification,
};
use ccd402_app::ports::log::StreamId;
use ccd402_app::ports::overview;
use ccd402_app::ports::read_model::{GROUPS_MAX, Status, Tally};
use ccd402_domain::account::AccountAddress;
use ccd402_domain::amount::Amount;
use ccd402_domain::asset::Asset;
use ccd402_domain::event::Event;
use ccd402_domain::ids::ReservationId;
use ccd402_domain::listing::Listing;
use ccd402_domain::tenant::TenantId;
use ccd402_domain::verification::event::{
    Consumer, PaymentConsumed, PaymentReserved, TransferFinalized, VerificationRequested,
};
use ccd402_protocol::version::X402Version;
use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use uuid::Uuid;

use super::tests::writing;
use super::*;
use crate::postgres::tests::Ground;
use crate::sqlite::SqliteReadModel;

/// Verifications; more resources than a table of statistics has groups.
const COUNT: u64 = 8_000;

fn account(number: u8) -> AccountAddress {
    AccountAddress::from_bytes([number; 32])
}

/// A log that is told by its seed.
struct History {
    rng: StdRng,
    events: Vec<Recorded>,
}

impl History {
    fn of(seed: u64) -> Vec<Recorded> {
        let mut history = Self { rng: StdRng::seed_from_u64(seed), events: Vec::new() };
        let mut open: Vec<(u64, u64, bool)> = Vec::new();
        for number in 1..=COUNT {
            let requested = history.requested(number);
            history.happen(number, 1, requested);
            open.push((number, 1, false));
            while history.rng.gen_ratio(2, 3) && !open.is_empty() {
                let at = history.rng.gen_range(0..open.len());
                let (number, version, is_decided) = open[at];
                match history.next(number, (version, is_decided)) {
                    Some(event) => {
                        let is_found = matches!(event, Event::TransferFinalized(_));
                        history.happen(number, version + 1, event);
                        open[at] = (number, version + 1, is_decided || !is_found);
                    }
                    None => drop(open.swap_remove(at)),
                }
            }
        }
        history.events
    }

    fn happen(&mut self, number: u64, version: u64, event: Event) {
        let position = self.events.len() as u64 + 1;
        let stream = StreamId::verification(verification(number));
        let id = Uuid::from_u128(u128::from(position));
        let time = self.time();
        self.events.push(Recorded { position, id, stream, version, time, event });
    }

    /// Many at the same time, some before 1970.
    fn time(&mut self) -> DateTime<Utc> {
        let seconds = match self.rng.gen_range(0..10) {
            0 => -self.rng.gen_range(1_800_000_000_i64..4_000_000_000),
            _ => self.rng.gen_range(0..500_000),
        };
        let nanos = self.rng.gen_range(0..3) * 999;
        time() + TimeDelta::seconds(seconds) + TimeDelta::nanoseconds(nanos)
    }

    fn one_of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.rng.gen_range(0..all.len())].clone()
    }

    fn requested(&mut self, number: u64) -> Event {
        let mut payment = payment(number);
        let largest = self.rng.gen_ratio(1, 5);
        let units = self.rng.gen_range(1..if largest { u64::MAX } else { 5_000 });
        payment.amount = Amount::from_units(units);
        let assets = ["CCD", "EURR", "eurr", "Eurr", "usd%", "USD%", "a.b-c", "A.B-C"];
        payment.asset = self.one_of(&assets).parse().unwrap();
        payment.network = self.one_of(&[network(), network(), other_network()]);
        payment.payer = account(self.rng.gen_range(0..50));
        payment.pay_to = account(self.rng.gen_range(50..90));
        let path = self.rng.gen_range(0..4_000);
        let odd = self.one_of(&["", "", "?ü", "\0", "~", "Z", "z", "日本", "\u{1F600}"]);
        payment.resource.url = format!("https://shop.example/{path}{odd}");
        payment.resource.method = self.one_of(&["GET", "POST"]).to_owned();
        let tenant: TenantId =
            self.one_of(&["default", "default", "default", "shop", "0-9"]).parse().unwrap();
        let listing = self.rng.gen_ratio(4, 5).then(|| Listing {
            url: format!("https://shop.example/{}", path % 2_500),
            method: "GET".to_owned(),
            description: self.rng.gen_ratio(1, 2).then(|| format!("Grüße {path}")),
            mime_type: self.rng.gen_ratio(1, 3).then(|| "text/plain".to_owned()),
            x402_version: self.one_of(&[X402Version::V1, X402Version::V2]),
            max_timeout_seconds: path,
        });
        Event::from(VerificationRequested {
            verification: verification(number),
            tenant,
            body: payment.digest,
            payment: Arc::new(payment),
            requested_at: self.time(),
            listing: listing.map(Arc::new),
        })
    }

    /// What may happen next to a verification of that version; it is decided once.
    fn next(&mut self, number: u64, (version, is_decided): (u64, bool)) -> Option<Event> {
        match (version, is_decided, self.rng.gen_range(0..4)) {
            (1, false, 0) => Some(
                TransferFinalized { transaction: transaction(number), block: block(number) }.into(),
            ),
            (_, false, 1) => {
                Some(failed_because(number, number, self.one_of(&["", "why\0", "für"])))
            }
            (_, false, _) => Some(confirmed(number, number)),
            (2 | 3, true, 0) => {
                let reservation = ReservationId(Uuid::nil());
                Some(PaymentReserved { reservation, until: self.time() }.into())
            }
            (..=4, true, 1) => Some(PaymentConsumed { by: Consumer::Settle }.into()),
            _ => None,
        }
    }
}

fn filters(events: &[Recorded]) -> Vec<Filter> {
    let all = Filter::default();
    let Event::VerificationRequested(one) = &events[0].event else { panic!("a request") };
    let paid = &one.payment;
    let mut filters = vec![
        all.clone(),
        Filter { tenant: Some(one.tenant.clone()), ..all.clone() },
        Filter { payer: Some(paid.payer), ..all.clone() },
        Filter { pay_to: Some(paid.pay_to), ..all.clone() },
        Filter { resource: Some(paid.resource.url.clone()), ..all.clone() },
        Filter { resource: Some("https://shop.example/7\0".to_owned()), ..all.clone() },
        Filter { transaction: Some(paid.transaction), ..all.clone() },
        Filter { network: Some(other_network()), ..all.clone() },
        Filter { asset: Some(Asset::Ccd), ..all.clone() },
        Filter { asset: Some("eURR".parse().unwrap()), ..all.clone() },
        Filter { from: Some(time()), to: Some(time() + TimeDelta::hours(9)), ..all.clone() },
        Filter { to: Some(DateTime::UNIX_EPOCH), ..all.clone() },
    ];
    for status in Status::ALL {
        filters.push(Filter { status: Some(status), ..all.clone() });
        let (tenant, asset) = (Some(one.tenant.clone()), Some(paid.asset.clone()));
        filters.push(Filter { status: Some(status), tenant, asset, ..all.clone() });
        filters.push(Filter { status: Some(status), payer: Some(paid.payer), ..all.clone() });
    }
    filters
}

/// How many there are and what they amount to, whatever of.
fn sums(tallies: &[Tally<()>]) -> Vec<(u64, u128)> {
    let mut sums: Vec<_> = tallies.iter().map(|tally| (tally.count, tally.amount)).collect();
    sums.sort_unstable();
    sums
}

async fn answer_the_same(ours: &dyn ReadModel, theirs: &dyn ReadModel, filters: &[Filter]) {
    assert_eq!(ours.checkpoint().await, theirs.checkpoint().await);
    for filter in filters {
        let (mut after, mut pages) = (None, 0);
        loop {
            let page = ours.list(filter, after, 97).await.unwrap();
            assert_eq!(Ok(&page), theirs.list(filter, after, 97).await.as_ref(), "{filter:?}");
            after = page.rows.last().map(|row| row.place());
            pages += 1;
            // All pages of what is small, the first of what is not.
            if !page.has_more || pages > 9 {
                break;
            }
        }
        for step in [Step::Minute, Step::Hour, Step::Day] {
            let stats = ours.stats(filter, step).await.unwrap();
            assert_eq!(Ok(&stats), theirs.stats(filter, step).await.as_ref(), "{filter:?}");
        }
    }
    for (tenant, step) in [(None, Step::Hour), (Some("shop".parse().unwrap()), Step::Minute)] {
        let asked = Asked { tenant, from: DateTime::UNIX_EPOCH, step };
        let told = ours.overview(&asked).await.unwrap();
        assert_eq!(Ok(&told), theirs.overview(&asked).await.as_ref(), "{asked:?}");
        let counted = overview::counted(ours, &asked).await.unwrap();
        assert_eq!(sums(&told.totals), sums(&counted.totals), "{asked:?}");
    }
    let mut skip = 0;
    loop {
        let part = ours.resources(skip, 100).await.unwrap();
        assert_eq!(Ok(&part), theirs.resources(skip, 100).await.as_ref());
        skip += part.resources.len() as u64;
        if part.resources.is_empty() {
            assert_eq!((skip > 1_000, skip), (true, part.total));
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_databases_answer_the_same() {
    let (ground, dir) = (Ground::new().await, tempfile::tempdir().unwrap());
    let (ours, theirs) = (writing(&ground).await, SqliteReadModel::open(dir.path()).await);
    let events = History::of(402);
    let filters = filters(&events);
    let half = events.len() / 2;
    for model in [&ours as &dyn ReadModel, &theirs] {
        let mut built = model.rebuild().await.unwrap();
        for page in events[..half].chunks(4_096) {
            built.apply(page).await.unwrap();
        }
        built.swap_in().await.unwrap();
    }
    answer_the_same(&ours, &theirs, &filters).await;
    for page in events[half..].chunks(377) {
        ours.apply(page).await.unwrap();
        theirs.apply(page).await.unwrap();
    }
    answer_the_same(&ours, &theirs, &filters).await;
    let all = ours.stats(&Filter::default(), Step::Minute).await.unwrap();
    assert!(all.by_resource.is_cut && all.by_resource.tallies.len() == GROUPS_MAX);
    assert!(all.totals.iter().any(|tally| tally.amount > u128::from(u64::MAX)));
    for model in [&ours as &dyn ReadModel, &theirs] {
        let mut compared = model.compare().await.unwrap();
        for page in events.chunks(4_096) {
            compared.apply(page).await.unwrap();
        }
        compared.hold().await.unwrap();
        let found = compared.end().await.unwrap();
        assert_eq!((found.different, &found.differences[..]), (0, &[][..]));
    }
    theirs.close().await;
}
