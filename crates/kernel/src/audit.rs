//! The closed vocabulary of the audit log. An entry says who did what with which thing, in these words, with ids and with
//! numbers: there is no free text in it but a sealed reason.

use crate::datamap::Purpose;

words! {
    /// Who acts.
    ActorKind {
        /// Somebody on the machine, through the admin socket; known by the user id of the system.
        Operator = "operator",
        /// Somebody who is signed in; known by the account.
        Account = "account",
        /// A key of the management interface.
        ManagementKey = "management_key",
        /// The platform itself, such as a job.
        System = "system",
    }

    /// What is done. Whoever adds an interface adds its words here.
    Action {
        /// An account is made.
        AccountCreate = "account.create",
        /// Accounts are looked at, a page of them.
        AccountList = "account.list",
        /// An account is looked at.
        AccountRead = "account.read",
        /// An account is changed.
        AccountUpdate = "account.update",
        /// An account is looked for by its exact name or address.
        AccountSearch = "account.search",
        /// Somebody asks for something about their data.
        RightsRequestMake = "rights_request.make",
        /// Somebody takes back a request, answers a question about it, or appeals.
        RightsRequestChange = "rights_request.change",
        /// Requests of people are looked at, a page of them, without what was said.
        RightsRequestList = "rights_request.list",
        /// A request is looked at, without what was said.
        RightsRequestRead = "rights_request.read",
        /// What was said in a request is shown.
        RightsRequestReveal = "rights_request.reveal",
        /// A request is decided.
        RightsRequestDecide = "rights_request.decide",
        /// Somebody shows at the rights desk that they read an address.
        RightsDeskEnter = "rights_desk.enter",
        /// Somebody looks at the rights desk at what they asked for.
        RightsDeskRead = "rights_desk.read",
        /// Somebody decides what may be done with their data.
        ChoiceMake = "choice.make",
        /// What somebody has decided about their data is looked at.
        ChoiceList = "choice.list",
        /// An incident is opened.
        IncidentOpen = "incident.open",
        /// What is known of an incident is looked at, with who looked for whom.
        IncidentRead = "incident.read",
        /// What is known of an incident is changed.
        IncidentUpdate = "incident.update",
        /// Whom an incident concerns is said, or taken back.
        IncidentScope = "incident.scope",
        /// An incident comes further: assessed, people told, announced, closed, opened again.
        IncidentState = "incident.state",
        /// That an incident was reported to somebody is written down.
        IncidentReport = "incident.report",
        /// Whom an incident concerns is looked at, a page of them.
        IncidentSubjects = "incident.subjects",
        /// Somebody takes a copy of what is held about themselves.
        DataCopy = "data.copy",
        /// Somebody has a part of what is held about themselves deleted.
        DataDelete = "data.delete",
        /// Personal fields of an account are shown in clear.
        AccountUnmask = "account.unmask",
        /// A person is erased.
        AccountErase = "account.erase",
        /// What erasing somebody would do is looked at.
        ErasurePlan = "erasure.plan",
        /// Erasures and their receipts are looked at.
        ErasureList = "erasure.list",
        /// What has served its time is deleted.
        RetentionRun = "retention.run",
        /// Retention is looked at: its plan, its runs.
        RetentionRead = "retention.read",
        /// Nothing of an account is to be deleted for a time.
        LegalHoldPut = "legal_hold.put",
        /// Such a hold is ended.
        LegalHoldEnd = "legal_hold.end",
        /// Legal holds are looked at, a page of them.
        LegalHoldList = "legal_hold.list",
        /// What is held about a person is copied for them.
        AccountExport = "account.export",
        /// Somebody registers.
        AccountRegister = "account.register",
        /// What somebody said about themselves is changed.
        ProfileUpdate = "profile.update",
        /// A password is set.
        PasswordChange = "password.change",
        /// A password is set by who reads an address of the account.
        PasswordReset = "password.reset",
        /// An address of an account is changed.
        ContactChange = "contact.change",
        /// Somebody takes another name to sign in with.
        NameChange = "name.change",
        /// A second factor is set up, or taken away, or its recovery codes are made anew.
        FactorChange = "second_factor.change",
        /// An identity of a third party is linked with an account, or unlinked.
        IdentityChange = "identity.change",
        /// A passkey is registered, named or removed.
        PasskeyChange = "passkey.change",
        /// Somebody shows once more who is there.
        SessionRaise = "session.raise",
        /// The password or the second factor of somebody else is reset.
        CredentialsReset = "credentials.reset",
        /// A code is sent.
        CodeSend = "code.send",
        /// An invitation is made.
        InvitationCreate = "invitation.create",
        /// An invitation is withdrawn.
        InvitationWithdraw = "invitation.withdraw",
        /// A management key is made.
        ManagementKeyCreate = "management_key.create",
        /// A management key is changed.
        ManagementKeyUpdate = "management_key.update",
        /// A management key is revoked.
        ManagementKeyRevoke = "management_key.revoke",
        /// An organisation is made.
        OrganisationCreate = "organisation.create",
        /// An organisation is renamed.
        OrganisationUpdate = "organisation.update",
        /// An organisation is closed.
        OrganisationClose = "organisation.close",
        /// An organisation is opened again.
        OrganisationReopen = "organisation.reopen",
        /// An organisation is offered to another member.
        OwnershipOffer = "ownership.offer",
        /// Such an offer is withdrawn or refused.
        OwnershipOfferEnd = "ownership.offer_end",
        /// An organisation gets another owner.
        OrganisationTransfer = "organisation.transfer",
        /// Somebody is invited to become a member of an organisation.
        MemberInvite = "member.invite",
        /// An invitation to become a member is withdrawn.
        MemberInviteWithdraw = "member.invite_withdraw",
        /// Somebody becomes a member of an organisation.
        MemberJoin = "member.join",
        /// A member gets another role or budget.
        MemberUpdate = "member.update",
        /// A member is removed from an organisation.
        MemberRemove = "member.remove",
        /// A member leaves an organisation.
        MemberLeave = "member.leave",
        /// A project of an organisation is made.
        ProjectCreate = "project.create",
        /// A project of an organisation is changed.
        ProjectUpdate = "project.update",
        /// A key that was found is ended.
        KeyReport = "key.report",
        /// A role of the operator's own is made, changed or deleted.
        RoleChange = "role.change",
        /// Somebody signs in.
        SessionCreate = "session.create",
        /// Somebody signs out, or is signed out.
        SessionEnd = "session.end",
        /// An API key is made.
        KeyCreate = "key.create",
        /// API keys are looked at.
        KeyList = "key.list",
        /// An API key is looked at.
        KeyRead = "key.read",
        /// An API key is changed.
        KeyUpdate = "key.update",
        /// Records of calls are looked at.
        CallList = "call.list",
        /// The record of a call is looked at.
        CallRead = "call.read",
        /// The address and the user agent of a call are unsealed.
        CallReveal = "call.reveal",
        /// Events that were set aside are looked at.
        EventList = "event.list",
        /// An event that was set aside is settled.
        EventSettle = "event.settle",
        /// An event that was set aside is given up.
        EventDrop = "event.drop",
        /// What an account has is looked at.
        WalletRead = "wallet.read",
        /// Money of an account is moved.
        WalletMove = "wallet.move",
        /// Entries of the ledger are looked at.
        LedgerList = "ledger.list",
        /// A group is made.
        GroupCreate = "group.create",
        /// A group is changed.
        GroupUpdate = "group.update",
        /// A group is deleted.
        GroupDelete = "group.delete",
        /// A provider is made.
        ProviderCreate = "provider.create",
        /// A provider is changed.
        ProviderUpdate = "provider.update",
        /// A provider is deleted.
        ProviderDelete = "provider.delete",
        /// A recipient of data is entered into the register.
        RecipientCreate = "recipient.create",
        /// What the register says of a recipient is changed.
        RecipientUpdate = "recipient.update",
        /// A recipient is taken out of the register.
        RecipientDelete = "recipient.delete",
        /// A model provider is tied to its entry of the register, or untied.
        RecipientTie = "recipient.tie",
        /// A disclosure to an authority is proposed.
        DisclosurePropose = "disclosure.propose",
        /// Disclosures are looked at, a page of them, without words.
        DisclosureList = "disclosure.list",
        /// A disclosure is looked at, without words.
        DisclosureRead = "disclosure.read",
        /// The words of a disclosure are shown.
        DisclosureReveal = "disclosure.reveal",
        /// A disclosure is decided.
        DisclosureDecide = "disclosure.decide",
        /// It is said from when on the person may be told of a disclosure.
        DisclosureTelling = "disclosure.telling",
        /// A channel is made.
        ChannelCreate = "channel.create",
        /// A channel is changed.
        ChannelUpdate = "channel.update",
        /// A channel is deleted.
        ChannelDelete = "channel.delete",
        /// The credential of a channel is shown in clear.
        CredentialReveal = "credential.reveal",
        /// A model is made.
        ModelCreate = "model.create",
        /// A model is changed.
        ModelUpdate = "model.update",
        /// A model is deleted.
        ModelDelete = "model.delete",
        /// A price is set.
        PriceCreate = "price.create",
        /// A platform file is compared with the platform, accounts and keys too.
        PlatformDiff = "platform.diff",
        /// A platform file is applied.
        PlatformApply = "platform.apply",
        /// Accounts and keys are exported as a platform file.
        PlatformExport = "platform.export",
        /// What became of messages is looked at.
        MessageList = "message.list",
        /// A message of the development outbox is looked at.
        MessageRead = "message.read",
        /// A message is sent to try a channel.
        MessageTest = "message.test",
        /// Who has which role is looked at.
        StaffList = "staff.list",
        /// A role is given to an account.
        StaffGrant = "staff.grant",
        /// A role is taken from an account.
        StaffRevoke = "staff.revoke",
        /// A case of verification is begun.
        VerificationOpen = "verification.open",
        /// What a case of verification says, or its papers, is changed.
        VerificationUpdate = "verification.update",
        /// A case of verification is given to who decides it.
        VerificationSubmit = "verification.submit",
        /// A case of verification is withdrawn.
        VerificationWithdraw = "verification.withdraw",
        /// Cases of verification are looked at.
        VerificationList = "verification.list",
        /// A case of verification is looked at, masked.
        VerificationRead = "verification.read",
        /// What a case of verification says, or a paper of it, is looked at in clear.
        VerificationReveal = "verification.reveal",
        /// A case of verification is decided.
        VerificationDecide = "verification.decide",
        /// The epoch of the keyring is turned.
        KeyringRotate = "keyring.rotate",
        /// The keyring gets another master key.
        KeyringRekey = "keyring.rekey",
        /// A backup is made.
        BackupMake = "backup.make",
        /// A database is restored from a backup.
        BackupRestore = "backup.restore",
        /// The audit log is looked at.
        AuditList = "audit.list",
        /// An entry of the audit log is looked at, what is sealed in it too.
        AuditRead = "audit.read",
        /// The audit log is exported.
        AuditExport = "audit.export",
    }

    /// What it is done with.
    ObjectKind {
        /// An account.
        Account = "account",
        /// An organisation, with its members and projects.
        Organisation = "organisation",
        /// A session of somebody who is signed in.
        Session = "session",
        /// An API key.
        Key = "key",
        /// A call.
        Call = "call",
        /// An event that was set aside.
        Event = "event",
        /// The money of an account.
        Wallet = "wallet",
        /// The ledger.
        Ledger = "ledger",
        /// A group.
        Group = "group",
        /// A provider.
        Provider = "provider",
        /// A recipient of data.
        Recipient = "recipient",
        /// A disclosure to an authority.
        Disclosure = "disclosure",
        /// A channel.
        Channel = "channel",
        /// A model.
        Model = "model",
        /// A price.
        Price = "price",
        /// A message to a person.
        Message = "message",
        /// A role of staff.
        Role = "role",
        /// A case of verification.
        Verification = "verification",
        /// A class of retention.
        Retention = "retention",
        /// An erasure.
        Erasure = "erasure",
        /// A legal hold.
        LegalHold = "legal_hold",
        /// The platform as a whole.
        Platform = "platform",
        /// A request of somebody about their data.
        RightsRequest = "rights_request",
        /// An incident.
        Incident = "incident",
        /// The keyring.
        Keyring = "keyring",
        /// A backup.
        Backup = "backup",
        /// The audit log.
        Audit = "audit",
    }

    /// How far it has come.
    Phase {
        /// It is about to be done: written before anything happens.
        Begun = "begun",
        /// It was done, or is done in the transaction that writes this.
        Done = "done",
        /// It was refused, with a code.
        Refused = "refused",
    }
}

impl Action {
    /// For what somebody else's data is used by staff who does that. Whatever is not named here is help, which nobody gets who
    /// wants their data kept and not used.
    #[must_use]
    pub const fn purpose(self) -> Purpose {
        match self {
            // Their rights, what is owed to laws, and who looked.
            Self::RightsRequestList
            | Self::RightsRequestRead
            | Self::RightsRequestReveal
            | Self::RightsRequestDecide
            | Self::ChoiceList
            | Self::AccountExport
            | Self::AccountErase
            | Self::ErasurePlan
            | Self::ErasureList
            | Self::RetentionRun
            | Self::RetentionRead
            | Self::LegalHoldPut
            | Self::LegalHoldEnd
            | Self::LegalHoldList
            | Self::AuditList
            | Self::AuditRead
            | Self::AuditExport => Purpose::Law,
            // What keeps them and others safe: ending what is abused.
            Self::AccountUpdate
            | Self::SessionEnd
            | Self::CredentialsReset
            | Self::KeyUpdate
            | Self::KeyReport
            | Self::StaffList
            | Self::StaffGrant
            | Self::StaffRevoke => Purpose::Security,
            // What was used already is paid, and what was paid is accounted for.
            Self::EventList
            | Self::EventSettle
            | Self::EventDrop
            | Self::WalletRead
            | Self::WalletMove
            | Self::LedgerList => Purpose::Finance,
            _ => Purpose::Support,
        }
    }

    /// Looks at what is held about somebody: what that person may know of.
    pub const LOOKS: &'static [Self] = &[
        Self::AccountRead,
        Self::AccountSearch,
        Self::AccountUnmask,
        Self::AccountExport,
        Self::KeyList,
        Self::KeyRead,
        Self::CallList,
        Self::CallRead,
        Self::CallReveal,
        // Of a development platform alone, which keeps what it would have sent.
        Self::MessageRead,
        Self::WalletRead,
        Self::LedgerList,
        Self::VerificationRead,
        Self::VerificationReveal,
        Self::RightsRequestRead,
        Self::RightsRequestReveal,
        Self::ChoiceList,
        Self::AuditList,
        Self::AuditRead,
    ];

    /// The same, where it was not the person, signed in, who did it: whoever reads an address of theirs, at the rights desk.
    pub const LOOKS_UNSIGNED: &'static [Self] = &[Self::DataCopy, Self::RightsDeskEnter, Self::RightsDeskRead];
}
