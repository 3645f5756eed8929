//! Pricing groups on the wire, for the admin socket and the console.

use super::Moment;
use serde::{Deserialize, Serialize};
use tacit_kernel::Ppm;
use tacit_kernel::ids::GroupId;
use utoipa::ToSchema;

/// A group to create.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGroup {
    /// Unique name.
    pub name: String,
    /// Applied to every charge of its accounts.
    #[schema(value_type = String)]
    pub multiplier: Ppm,
}

/// What to change.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupPatch {
    /// Applied to every charge from now on.
    #[schema(value_type = String)]
    pub multiplier: Ppm,
}

/// A group.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Group {
    /// Its id.
    #[schema(value_type = String)]
    pub id: GroupId,
    /// Its name.
    pub name: String,
    /// Applied to every charge of its accounts.
    #[schema(value_type = String)]
    pub multiplier: Ppm,
    /// When it was made.
    pub created_at: Moment,
    /// When it last changed.
    pub updated_at: Moment,
}

impl From<tacit_identity::Group> for Group {
    fn from(g: tacit_identity::Group) -> Self {
        Self {
            id: g.id,
            name: g.name,
            multiplier: g.multiplier,
            created_at: g.created_at.into(),
            updated_at: g.updated_at.into(),
        }
    }
}
