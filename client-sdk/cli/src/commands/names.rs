//! Names of offices, looked up as long as that works.

use std::time::Duration;

use tasuki_careplan::office::OfficeNumber;
use tasuki_sdk::Client;
use tokio::runtime::Handle;

/// A name is a courtesy: nobody waits longer for one.
const PATIENCE: Duration = Duration::from_secs(5);

/// Names of offices from the directory. The client remembers them.
pub(super) struct Names {
    client: Client,
    /// A look-up failed: the rest goes by number.
    gave_up: bool,
}

impl Names {
    pub(super) fn new(client: &Client) -> Self {
        Self { client: client.clone(), gave_up: false }
    }

    /// The office's name; empty if the directory does not have one or can't be asked.
    pub(super) async fn of(&mut self, number: OfficeNumber) -> String {
        if self.gave_up {
            return String::new();
        }
        let answer = tokio::time::timeout(PATIENCE, self.client.office_by_number(number)).await;
        let Ok(Ok(office)) = answer else {
            self.gave_up = true;
            return String::new();
        };
        office.map(|office| office.name).unwrap_or_default()
    }

    /// As [`Names::of`], from a callback that can't wait. On a runtime of several threads only.
    pub(super) fn of_now(&mut self, number: OfficeNumber) -> String {
        tokio::task::block_in_place(|| Handle::current().block_on(self.of(number)))
    }
}
