//! `/api/v1/openapi.json`: this interface, for programs that make clients.

use super::{Access, Answer, Routes};
use axum::Json;
use std::sync::LazyLock;
use utoipa_axum::routes;

pub(super) fn routes(routes: Routes) -> Routes {
    routes.add(Access::Public, routes!(openapi_show))
}

static DOCUMENT: LazyLock<serde_json::Value> =
    LazyLock::new(|| serde_json::to_value(super::document()).unwrap_or_default());

/// The OpenAPI document of this interface.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "platform", responses(
    (status = 200, description = "The document, OpenAPI 3.1.", body = serde_json::Value),
))]
async fn openapi_show() -> Answer<&'static serde_json::Value> {
    Ok(Json(&DOCUMENT))
}
