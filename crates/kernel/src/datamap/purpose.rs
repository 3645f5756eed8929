//! What personal data is used for, and what allows it.

crate::words! {
    /// What allows a purpose (China's PIPL, article 13; GDPR, article 6).
    Basis {
        /// What the person asked for cannot be done without it.
        Contract = "contract",
        /// A law demands it.
        Obligation = "legal_obligation",
        /// The service and the people who use it are kept safe by it.
        Interest = "legitimate_interest",
        /// The person said yes to it, and can take it back.
        Consent = "consent",
    }

    /// What personal data is used for: data uses of fideslang 3.2.
    Purpose {
        /// What the service does for whoever has an account.
        Service = "essential.service",
        /// Knowing who somebody is.
        SignIn = "essential.service.authentication",
        /// Having models answer.
        Inference = "essential.service.ai_inference",
        /// Keeping the service and the people who use it safe.
        Security = "essential.service.security",
        /// Finding those who cheat.
        Fraud = "essential.fraud_detection",
        /// What calls cost and who paid it.
        Payment = "essential.service.payment_processing",
        /// Helping people.
        Support = "essential.service.operations.support",
        /// Books.
        Finance = "finance",
        /// What laws demand.
        Law = "essential.legal_obligation",
        /// Making the service better, with what people tell for it of their own accord.
        Improvement = "improve.system",
    }
}

impl Purpose {
    /// What allows it.
    #[must_use]
    pub const fn basis(self) -> Basis {
        match self {
            Self::Service | Self::SignIn | Self::Inference | Self::Payment | Self::Support => Basis::Contract,
            Self::Security | Self::Fraud => Basis::Interest,
            Self::Finance | Self::Law => Basis::Obligation,
            Self::Improvement => Basis::Consent,
        }
    }

    /// Whether it goes on for somebody who wants their data kept and not used (GDPR, article 18): what they do themselves to see
    /// and end that, what keeps others safe, and what laws and books demand.
    #[must_use]
    pub const fn survives_restriction(self) -> bool {
        match self {
            Self::SignIn | Self::Security | Self::Payment | Self::Finance | Self::Law => true,
            Self::Service | Self::Inference | Self::Fraud | Self::Support | Self::Improvement => false,
        }
    }
}
