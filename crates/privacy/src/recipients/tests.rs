//! The register on both engines: what is entered is there, what something leads to stays, what is missing is told.

use super::*;
use crate::erasure::tests::World;
use std::collections::BTreeSet;
use tacit_catalog::ProviderSpec;
use tacit_kernel::datamap::Purpose;
use tacit_kernel::{Dialect, Timestamp};
use tacit_storage::both_engines;

pub(crate) fn spec(kind: Kind, country: &str) -> RecipientSpec {
    RecipientSpec {
        kind,
        role: Role::Processor,
        country: country.to_owned(),
        purposes: [Purpose::Inference].into(),
        contract_at: Some(Timestamp(0)),
        retention_days: None,
        trains: Trains::Unknown,
        evidence_url: None,
        checked_at: None,
        contact: Some("privacy@example.org".to_owned()),
        dsr_endpoint: None,
        enabled: true,
    }
}

pub(crate) struct Office {
    pub(crate) world: World,
    pub(crate) catalog: Catalog,
    pub(crate) recipients: Recipients,
}

impl Office {
    pub(crate) async fn new(db: Db) -> Self {
        let world = World::new(db).await;
        let clock = world.clock.clone() as Arc<dyn Clock>;
        let catalog = Catalog::new(world.db.clone(), world.keys.clone(), clock.clone());
        let recipients = Recipients::new((world.db.clone(), clock), catalog.clone(), [Kind::Mail, Kind::Sms].into());
        Self { world, catalog, recipients }
    }

    pub(crate) async fn provider(&self, name: &str) -> ProviderId {
        let base_url = "https://api.example".to_owned();
        let spec = ProviderSpec { dialect: Dialect::OpenAi, base_url, auth: None, allow_private: false, enabled: true };
        self.catalog.provider_put(name, &spec).await.unwrap().value.id
    }

    pub(crate) async fn enter(&self, name: &str, spec: &RecipientSpec) -> Result<Recipient, RecipientError> {
        let enter = async |tx: &mut WriteTx<'_>| self.recipients.create_in_tx(tx, name, spec).await;
        let enter = &enter;
        self.world.db.write("test.enter", |tx| Box::pin(enter(tx))).await
    }

    pub(crate) async fn tie(&self, id: RecipientId, provider: ProviderId) -> Result<(), RecipientError> {
        let tie = async |tx: &mut WriteTx<'_>| self.recipients.tie_in_tx(tx, id, provider).await;
        let tie = &tie;
        self.world.db.write("test.tie", |tx| Box::pin(tie(tx))).await
    }

    pub(crate) async fn change(
        &self,
        id: RecipientId,
        name: &str,
        spec: &RecipientSpec,
    ) -> Result<Recipient, RecipientError> {
        let change = async |tx: &mut WriteTx<'_>| self.recipients.update_in_tx(tx, id, name, spec).await;
        let change = &change;
        self.world.db.write("test.change", |tx| Box::pin(change(tx))).await
    }

    async fn remove(&self, id: RecipientId) -> Result<(), RecipientError> {
        let remove = async |tx: &mut WriteTx<'_>| self.recipients.delete_in_tx(tx, id).await;
        let remove = &remove;
        self.world.db.write("test.remove", |tx| Box::pin(remove(tx))).await
    }

    async fn untie(&self, id: RecipientId, provider: ProviderId) -> Result<(), RecipientError> {
        let untie = async |tx: &mut WriteTx<'_>| self.recipients.untie_in_tx(tx, id, provider).await;
        let untie = &untie;
        self.world.db.write("test.untie", |tx| Box::pin(untie(tx))).await
    }
}

both_engines! {
    async fn the_register_holds_what_is_entered(db: Db) {
        let office = Office::new(db).await;
        let whole = RecipientSpec {
            retention_days: Some(30),
            trains: Trains::No,
            evidence_url: Some("https://example.org/terms".to_owned()),
            checked_at: Some(office.world.clock.now()),
            dsr_endpoint: Some("https://example.org/dsr".to_owned()),
            purposes: [Purpose::Inference, Purpose::Security].into(),
            ..spec(Kind::ModelProvider, "DE")
        };
        let entered = office.enter("Example AI", &whole).await.unwrap();
        assert_eq!(office.recipients.list().await.unwrap(), std::slice::from_ref(&entered));
        assert!(matches!(office.enter("Example AI", &whole).await, Err(RecipientError::Taken)));
        assert!(matches!(office.enter("Another", &spec(Kind::Mail, "XX")).await, Err(RecipientError::Invalid { .. })));
        office.world.clock.advance_micros(1);
        assert_eq!(office.change(entered.id, "Example AI", &whole).await.unwrap(), entered, "nothing changed");
        let changed = office.change(entered.id, "Example AI SE", &spec(Kind::ModelProvider, "FR")).await.unwrap();
        assert_eq!(office.recipients.list().await.unwrap(), std::slice::from_ref(&changed));
        assert!(changed.updated_at > entered.updated_at);
        assert!(matches!(office.change(RecipientId::fresh(), "x", &whole).await, Err(RecipientError::NotFound)));
        office.remove(entered.id).await.unwrap();
        assert!(matches!(office.remove(entered.id).await, Err(RecipientError::NotFound)));
    }

    async fn what_a_provider_is_tied_to_stays_and_what_is_missing_is_told(db: Db) {
        let office = Office::new(db).await;
        let (acme, other) = (office.provider("acme").await, office.provider("other").await);
        let missing = async || office.recipients.unregistered().await.unwrap();
        let all = Unregistered { providers: vec!["acme".into(), "other".into()], kinds: vec![Kind::Mail, Kind::Sms] };
        assert_eq!((missing().await, all.count()), (all, 4));
        let mail = office.enter("Post", &spec(Kind::Mail, "CN")).await.unwrap();
        let model = office.enter("Acme", &spec(Kind::ModelProvider, "US")).await.unwrap();
        assert!(matches!(office.tie(mail.id, acme).await, Err(RecipientError::Invalid { .. })));
        assert!(matches!(office.tie(RecipientId::fresh(), acme).await, Err(RecipientError::NotFound)));
        office.tie(model.id, acme).await.unwrap();
        assert_eq!(missing().await, Unregistered { providers: vec!["other".into()], kinds: vec![Kind::Sms] });
        assert!(matches!(office.remove(model.id).await, Err(RecipientError::InUse)));
        // What is said of a provider later leaves the tie.
        office.catalog.provider_put("acme", &ProviderSpec {
            base_url: "https://elsewhere.example".to_owned(),
            ..office.catalog.provider_by_ref("acme").await.unwrap().unwrap().spec()
        }).await.unwrap();
        assert_eq!(office.catalog.provider_by_ref("acme").await.unwrap().unwrap().recipient, Some(model.id));
        // One that is disabled stands for nobody.
        office.change(model.id, "Acme", &RecipientSpec { enabled: false, ..spec(Kind::ModelProvider, "US") }).await.unwrap();
        assert_eq!(missing().await.providers, ["acme", "other"]);
        assert!(matches!(office.untie(model.id, other).await, Err(RecipientError::NotFound)));
        office.untie(model.id, acme).await.unwrap();
        office.remove(model.id).await.unwrap();
    }
}

#[test]
fn whatever_the_map_sends_is_of_a_kind() {
    let names: BTreeSet<&str> = ["model_provider", "mail server", "twilio", "verification agency, aliyun"].into();
    assert!(names.iter().all(|name| Kind::of_egress(name).is_some()));
    assert_eq!(Kind::of_egress("somebody"), None);
}
