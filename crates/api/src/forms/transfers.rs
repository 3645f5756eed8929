//! Transfers on the wire, for the admin socket and the console.

use super::Moment;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use tacit_catalog::Catalog;
use tacit_kernel::Fault;
use tacit_kernel::ids::ProviderId;
use tacit_privacy::transfers::{Counted, Transfers};
use utoipa::ToSchema;

pub use tacit_privacy::transfers::Level;

/// The transfers of a year.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TransferReport {
    /// The year, in UTC.
    pub year: u16,
    /// Where the platform is at home (`privacy.home_country`); `null`: nobody has said, and everything counts as abroad.
    pub home_country: Option<String>,
    /// Distinct accounts whose calls went abroad, or to nobody knows where.
    pub subjects_abroad: u64,
    /// How near that is to what a law asks for: `below`, `near`, `filing` or `assessment`.
    #[schema(value_type = String)]
    pub level: Level,
    /// By country. `ZZ`: the provider stood in no entry of the register.
    pub countries: Vec<CountryTransfers>,
    /// By provider and country.
    pub providers: Vec<ProviderTransfers>,
    /// When something was counted last.
    pub counted_at: Option<Moment>,
}

/// What went to a country.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CountryTransfers {
    /// The country.
    pub country: String,
    /// Distinct accounts.
    pub subjects: u64,
    /// Their calls.
    pub calls: u64,
}

/// What went to a provider in a country.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProviderTransfers {
    /// The provider.
    #[schema(value_type = Option<String>)]
    pub provider: Option<ProviderId>,
    /// Its name, if it is there still.
    pub name: Option<String>,
    /// The country.
    pub country: String,
    /// Distinct accounts.
    pub subjects: u64,
    /// Their calls.
    pub calls: u64,
}

impl From<Counted> for CountryTransfers {
    fn from(Counted { country, subjects, calls, .. }: Counted) -> Self {
        Self { country, subjects, calls }
    }
}

impl TransferReport {
    /// Of that year, or of this one.
    ///
    /// # Errors
    /// Storage.
    pub(crate) async fn of(transfers: &Transfers, catalog: &Catalog, year: Option<u16>) -> Result<Self, Fault> {
        let (report, counted_at) = (transfers.report(year).await?, transfers.counted_at().await?);
        let names: HashMap<ProviderId, String> =
            catalog.provider_list().await?.into_iter().map(|provider| (provider.id, provider.name)).collect();
        let of_provider = |Counted { country, provider, subjects, calls }| ProviderTransfers {
            provider,
            name: provider.and_then(|provider| names.get(&provider).cloned()),
            country,
            subjects,
            calls,
        };
        Ok(Self {
            year: report.year,
            home_country: report.home,
            subjects_abroad: report.abroad,
            level: report.level,
            countries: report.countries.into_iter().map(Into::into).collect(),
            providers: report.providers.into_iter().map(of_provider).collect(),
            counted_at: counted_at.map(Into::into),
        })
    }
}
