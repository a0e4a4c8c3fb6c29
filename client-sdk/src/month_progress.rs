//! Progress of plan and result (予実管理): for one service month, who got a slip, who returned results, what is missing.
//!
//! Derived from kinds and months of files only, never from content: which users a slip or a withdrawal names is not looked
//! at. So a withdrawal counts against one slip, whatever it withdraws; and results that came in answer the slips of the
//! month, whomever they are about. What came by other ways is marked by hand, in the HOME.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tasuki_careplan::kind::{Action, FileKind, Subject};
use tasuki_careplan::month::Month;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::ids::ParcelId;
use tasuki_proto::time;

use crate::client::Client;
use crate::error::{SdkError, VerificationError, words};
use crate::files::{self, Access};
use crate::home::{Home, PROGRESS_MARKS};
use crate::parcel::{Parcel, State};
use crate::tracking::ListFilter;

/// Marks that a HOME keeps; a large office has some 100 partners, and marks of 24 months are kept.
const MAX_MARKS: usize = 5_000;

/// Whose plan it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The own office sent the slips and awaits results.
    SlipsSent,
    /// The own office received the slips and owes results.
    SlipsReceived,
}

/// How far one partner is in one month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartnerProgress {
    /// The other office.
    pub office: OfficeNumber,
    /// Its name in the directory.
    pub office_name: String,
    /// Whose plan it is.
    pub side: Side,
    /// The newest slip that counts; `None`: there is none.
    pub slip: Option<Version>,
    /// The newest results that count; `None`: there are none.
    pub result: Option<Version>,
    /// How results came that did not come this way.
    pub marked: Option<Mark>,
    /// Results are still to come.
    pub outstanding: bool,
}

/// The newest of several versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The parcel that brought it.
    pub parcel: ParcelId,
    /// Its serial.
    pub serial: Option<String>,
    /// Which version it is, from 1: how many were delivered or are held, those that were taken back or refused not
    /// counted.
    pub version: u32,
    /// Where it stands.
    pub state: State,
    /// When the relay accepted it, Unix microseconds.
    pub accepted_us: Option<i64>,
    /// Withdrawals (取下げ) that came for them.
    pub withdrawn: u32,
}

impl Version {
    /// Something of it is left after the withdrawals.
    pub fn stands(&self) -> bool {
        self.withdrawn < self.version
    }
}

/// How results came that did not come through Tasuki.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// By fax.
    Fax,
    /// By e-mail.
    Mail,
    /// By post.
    Post,
}

impl Way {
    /// Its word in JSON and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fax => "fax",
            Self::Mail => "mail",
            Self::Post => "post",
        }
    }
}

/// A mark that somebody set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// How the results came.
    pub received: Way,
    /// When it was marked, Unix microseconds.
    pub marked_us: i64,
}

/// Marks by month and office.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Marks(BTreeMap<Month, BTreeMap<OfficeNumber, Mark>>);

impl Client {
    /// How far every partner is in a service month, by office number.
    ///
    /// ```no_run
    /// # async fn run(client: tasuki_sdk::Client) -> Result<(), tasuki_sdk::SdkError> {
    /// for partner in client.month_progress("202602".parse().expect("a month")).await? {
    ///     println!("{} {}", partner.office_name, if partner.outstanding { "outstanding" } else { "done" });
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The relay can't be reached or refuses, or the marks can't be read.
    pub async fn month_progress(&self, month: Month) -> Result<Vec<PartnerProgress>, SdkError> {
        let filter = ListFilter { month: Some(month), ..ListFilter::default() };
        let sent = self.list_sent(&filter).await?;
        let received = self.list_received(&filter).await?;
        let marks = Marks::load(self.home())?;
        let marks = marks.0.get(&month).cloned().unwrap_or_default();
        let mut all = progress(Side::SlipsSent, month, &sent, &received, &marks);
        all.extend(progress(Side::SlipsReceived, month, &received, &sent, &BTreeMap::new()));
        // Who was only marked is known by number.
        for (office, mark) in &marks {
            let known = |p: &&PartnerProgress| p.office == *office && p.side == Side::SlipsSent;
            if all.iter().find(known).is_none() {
                all.push(PartnerProgress {
                    office: *office,
                    office_name: self.office_by_number(*office).await?.map(|o| o.name).unwrap_or_default(),
                    side: Side::SlipsSent,
                    slip: None,
                    result: None,
                    marked: Some(*mark),
                    outstanding: false,
                });
            }
        }
        all.sort_by_key(|partner| (partner.office, partner.side));
        Ok(all)
    }

    /// Marks that an office's results of a month came another way; `None` takes the mark away.
    ///
    /// # Errors
    /// The marks can't be read or written.
    pub fn mark_progress(
        &self,
        office: OfficeNumber,
        month: Month,
        way: Option<Way>,
    ) -> Result<(), SdkError> {
        let mut marks = Marks::load(self.home())?;
        let of_month = marks.0.entry(month).or_default();
        match way {
            Some(received) => of_month.insert(office, Mark { received, marked_us: self.now_us() }),
            None => of_month.remove(&office),
        };
        marks.0.retain(|_, offices| !offices.is_empty());
        while marks.0.values().map(BTreeMap::len).sum::<usize>() > MAX_MARKS {
            marks.0.pop_first();
        }
        marks.store(self.home())
    }
}

impl Marks {
    fn load(home: &Home) -> Result<Self, SdkError> {
        let path = home.path(PROGRESS_MARKS);
        let Some(bytes) = files::read_if_exists(&path)? else { return Ok(Self::default()) };
        serde_json::from_slice(&bytes).map_err(|_| {
            let message = words("予実管理の記録ではありません", "not the marks of plan and result");
            VerificationError::Malformed { path, message }.into()
        })
    }

    fn store(&self, home: &Home) -> Result<(), SdkError> {
        let json = serde_json::to_vec_pretty(self).expect("months, numbers and words always serialise");
        files::write_durably(&home.path(PROGRESS_MARKS), &json, Access::Owner)
    }
}

/// Slips that went one way, results that went the other.
fn progress(
    side: Side,
    month: Month,
    slips: &[Parcel],
    results: &[Parcel],
    marks: &BTreeMap<OfficeNumber, Mark>,
) -> Vec<PartnerProgress> {
    let own_sent = side == Side::SlipsSent;
    let partner = |parcel: &Parcel, sent: bool| {
        if sent {
            (parcel.recipient, parcel.recipient_name.clone())
        } else {
            (parcel.key.sender, parcel.sender_name.clone())
        }
    };
    let mut partners: BTreeMap<OfficeNumber, (String, Vec<&Parcel>, Vec<&Parcel>)> = BTreeMap::new();
    for slip in slips.iter().filter(|parcel| holds(parcel, month, Subject::Slip)) {
        let (office, name) = partner(slip, own_sent);
        partners.entry(office).or_insert_with(|| (name, Vec::new(), Vec::new())).1.push(slip);
    }
    for result in results.iter().filter(|parcel| holds(parcel, month, Subject::Result)) {
        let (office, name) = partner(result, !own_sent);
        partners.entry(office).or_insert_with(|| (name, Vec::new(), Vec::new())).2.push(result);
    }
    let mut all = Vec::with_capacity(partners.len());
    for (office, (office_name, slips, results)) in partners {
        let slip = newest(&slips, month, Subject::Slip);
        let result = newest(&results, month, Subject::Result);
        let marked = marks.get(&office).copied();
        let planned = slip.as_ref().is_some_and(Version::stands);
        let answered = marked.is_some() || result.as_ref().is_some_and(Version::stands);
        all.push(PartnerProgress {
            office,
            office_name,
            side,
            slip,
            result,
            marked,
            outstanding: planned && !answered,
        });
    }
    all
}

fn kinds(parcel: &Parcel, month: Month) -> impl Iterator<Item = FileKind> {
    let month = month.to_string();
    let of_month = parcel.files.iter().filter(move |file| file.month.as_deref() == Some(month.as_str()));
    of_month.filter_map(|file| FileKind::from_prefix(&file.kind))
}

fn holds(parcel: &Parcel, month: Month, subject: Subject) -> bool {
    kinds(parcel, month).any(|kind| kind.subject() == subject)
}

/// The newest that counts, of those that create; and how many were withdrawn.
fn newest(parcels: &[&Parcel], month: Month, subject: Subject) -> Option<Version> {
    let counts = |parcel: &&&Parcel| {
        !matches!(parcel.state, State::Recalled | State::Discarded | State::Refused | State::Expired)
    };
    let does = |parcel: &Parcel, action: Action| {
        kinds(parcel, month).any(|kind| kind.subject() == subject && kind.action() == action)
    };
    let counting: Vec<&&Parcel> = parcels.iter().filter(counts).collect();
    let created: Vec<&&Parcel> =
        counting.iter().copied().filter(|parcel| does(parcel, Action::CreateOrUpdate)).collect();
    let withdrawn = counting.iter().filter(|parcel| does(parcel, Action::Withdraw)).count();
    let serial = |parcel: &Parcel| parcel.files.iter().filter_map(|file| file.serial.clone()).max();
    let last = created.iter().max_by_key(|parcel| (serial(parcel), parcel.accepted_us))?;
    Some(Version {
        parcel: last.key.id,
        serial: serial(last),
        version: u32::try_from(created.len()).unwrap_or(u32::MAX),
        state: last.state,
        accepted_us: last.accepted_us,
        withdrawn: u32::try_from(withdrawn).unwrap_or(u32::MAX),
    })
}

impl Mark {
    /// When it was marked, RFC 3339.
    pub fn marked_at(&self) -> String {
        time::format_us(self.marked_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parcel::FileSummary;
    use crate::testing;

    const OWN: &str = "1371215102";
    const VISIT: &str = "9971100012";

    fn month() -> Month {
        "202602".parse().unwrap()
    }

    fn parcel(from: &str, to: &str, kind: &str, serial: &str, state: State) -> Parcel {
        Parcel {
            state,
            files: vec![FileSummary {
                kind: kind.to_owned(),
                month: Some("202602".to_owned()),
                serial: Some(format!("202601251030{serial}")),
                size: 1,
            }],
            ..testing::parcel(from, to)
        }
    }

    fn of(slips: &[Parcel], results: &[Parcel]) -> PartnerProgress {
        progress(Side::SlipsSent, month(), slips, results, &BTreeMap::new()).remove(0)
    }

    #[test]
    fn results_answer_a_slip_and_a_withdrawal_asks_again() {
        let slip = |kind, serial, state| parcel(OWN, VISIT, kind, serial, state);
        let result = |kind, serial| parcel(VISIT, OWN, kind, serial, State::Acknowledged);
        let slips = [slip("UPPLAN", "01", State::Acknowledged)];
        assert!(of(&slips, &[]).outstanding);
        let answered = of(&slips, &[result("UPJSK", "02")]);
        assert!(!answered.outstanding);
        assert_eq!(answered.result.unwrap().version, 1);
        let corrected = of(&slips, &[result("UPJSK", "02"), result("UPJSK", "03")]).result.unwrap();
        assert_eq!((corrected.version, corrected.serial.as_deref()), (2, Some("20260125103003")));
        assert!(of(&slips, &[result("UPJSK", "02"), result("DLTJSK", "03")]).outstanding);
        let withdrawn = [slips[0].clone(), slip("DLTPLAN", "02", State::Delivered)];
        assert!(!of(&withdrawn, &[]).outstanding);
        let again = [withdrawn.to_vec(), vec![slip("UPPLAN", "03", State::Delivered)]].concat();
        assert!(of(&again, &[]).outstanding);
    }

    #[test]
    fn what_was_taken_back_or_refused_does_not_count() {
        let slip = |serial, state| parcel(OWN, VISIT, "UPPLAN", serial, state);
        for state in [State::Recalled, State::Discarded, State::Refused, State::Expired] {
            let alone = of(&[slip("01", state)], &[]);
            assert_eq!((alone.slip, alone.outstanding), (None, false), "{state}");
            let beside = of(&[slip("01", State::Fetched), slip("02", state)], &[]).slip.unwrap();
            assert_eq!((beside.version, beside.serial.as_deref()), (1, Some("20260125103001")));
        }
    }

    #[test]
    fn the_other_side_sees_the_mirror_image() {
        let slips = [parcel(VISIT, OWN, "UPPLAN", "01", State::Acknowledged)];
        let owed = progress(Side::SlipsReceived, month(), &slips, &[], &BTreeMap::new()).remove(0);
        assert_eq!((owed.office.as_str(), owed.outstanding), (VISIT, true));
        let results = [parcel(OWN, VISIT, "UPJSK", "02", State::Delivered)];
        assert!(!progress(Side::SlipsReceived, month(), &slips, &results, &BTreeMap::new())[0].outstanding);
    }

    #[test]
    fn a_mark_ends_the_waiting() {
        let slips = [parcel(OWN, VISIT, "UPPLAN", "01", State::Acknowledged)];
        let mark = Mark { received: Way::Fax, marked_us: 1 };
        let marks = BTreeMap::from([(VISIT.parse().unwrap(), mark)]);
        let marked = progress(Side::SlipsSent, month(), &slips, &[], &marks).remove(0);
        assert_eq!((marked.outstanding, marked.marked), (false, Some(mark)));
        let json = serde_json::to_string(&Marks(BTreeMap::from([(month(), marks)]))).unwrap();
        assert!(json.contains("\"202602\":{\"9971100012\":{\"received\":\"fax\""), "{json}");
    }
}
