//! Names of offices, looked up once each, as long as that works.

use std::collections::HashMap;
use std::time::Duration;

use tasuki_careplan::office::OfficeNumber;
use tasuki_sdk::Client;
use tokio::runtime::Handle;

/// A name is a courtesy: nobody waits longer for one.
const PATIENCE: Duration = Duration::from_secs(5);

/// Names of offices from the directory.
pub(super) struct Names {
    client: Client,
    known: HashMap<OfficeNumber, String>,
    /// A look-up failed: the rest goes by number.
    gave_up: bool,
}

impl Names {
    pub(super) fn new(client: &Client) -> Self {
        Self { client: client.clone(), known: HashMap::new(), gave_up: false }
    }

    /// The office's name; empty if the directory does not have one or can't be asked.
    pub(super) async fn of(&mut self, number: OfficeNumber) -> String {
        if let Some(name) = self.known.get(&number) {
            return name.clone();
        }
        if self.gave_up {
            return String::new();
        }
        let answer = tokio::time::timeout(PATIENCE, self.client.office_by_number(number)).await;
        let Ok(Ok(office)) = answer else {
            self.gave_up = true;
            return String::new();
        };
        let name = office.map(|office| office.name).unwrap_or_default();
        self.known.insert(number, name.clone());
        name
    }

    /// As [`Names::of`], from a callback that can't wait. On a runtime of several threads only.
    pub(super) fn of_now(&mut self, number: OfficeNumber) -> String {
        tokio::task::block_in_place(|| Handle::current().block_on(self.of(number)))
    }
}
