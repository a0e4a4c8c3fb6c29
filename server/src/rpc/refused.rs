//! What was not accepted, as its sender lists it.

use prost::Message as _;
use tasuki_proto::ids::ParcelKey;
use tasuki_proto::{pb, time};

use super::page::{page_size, read_token, token};
use super::status::messages;
use super::tracking::optional;
use super::{Context, Failure};
use crate::access::Caller;
use crate::refusals::read_findings;
use crate::store::StoreError;
use crate::store::refusals::{RefusalFilter, RefusalRow};

/// Bytes of one page: it stays below the 4 MiB that gRPC clients take by default.
const MAX_PAGE_BYTES: usize = 3 * 1024 * 1024;

/// One page of a caller's own refused submissions.
pub(super) async fn list(
    context: &Context,
    caller: &Caller,
    request: &pb::ListRefusedRequest,
) -> Result<pb::ListRefusedResponse, Failure> {
    let office = caller.acts_for(&request.office)?;
    let limit = page_size(request.page_size, 100)?;
    let filter = RefusalFilter {
        parcel: optional(&request.parcel_id, "parcel_id is no UUIDv7")?,
        recipient: optional(&request.partner, "partner is no office number")?,
        before_us: read_token('x', &request.page_token)?,
    };
    context.refusals.settled(office).await;
    let rows = context.store.refusals(office, &filter, limit + 1).await?;
    let (mut submissions, mut bytes, mut last) = (Vec::new(), 0, None);
    for row in &rows {
        let submission = submission(context, row).await?;
        bytes += submission.encoded_len();
        if submissions.len() == limit as usize || (bytes > MAX_PAGE_BYTES && !submissions.is_empty()) {
            break;
        }
        submissions.push(submission);
        last = Some(row.refused_us);
    }
    let more = submissions.len() < rows.len();
    let next = last.filter(|_| more).map(|us| token('x', &us.to_string()));
    Ok(pb::ListRefusedResponse { submissions, next_page_token: next.unwrap_or_default() })
}

async fn submission(context: &Context, row: &RefusalRow) -> Result<pb::RefusedSubmission, StoreError> {
    let (message_ja, message_en) = messages(&row.reason, None, None);
    let findings = read_findings(&row.findings).ok_or_else(|| StoreError::Corrupt {
        table: "refusals",
        column: "findings",
        row: row.office.to_string(),
    })?;
    let key = |id| ParcelKey { sender: row.office, id };
    let recipient_name = match row.recipient {
        Some(recipient) => context.directory.name(recipient).await?,
        None => String::new(),
    };
    Ok(pb::RefusedSubmission {
        rejected: Some(pb::Rejected {
            reason: row.reason.clone(),
            message_ja,
            message_en,
            r#ref: row.parcel.map(|id| super::convert::parcel_ref(&key(id))),
            recipient: row.recipient.map(|office| office.to_string()).unwrap_or_default(),
            findings,
            retry: false,
            until: String::new(),
        }),
        recipient_name,
        refused_at: time::format_us(row.refused_us),
        findings_left_out: row.left_out,
    })
}
