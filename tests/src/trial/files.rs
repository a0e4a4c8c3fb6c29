//! The files of a step: the standard's own samples with the trial's offices, users and services in their places.

use tasuki_careplan::record::{Record, RecordReader};
use tasuki_careplan::samples;

use super::cast::{Person, Player, Visit};

const INSURER: &str = "131128";

/// Name and bytes of a file.
pub type MadeFile = (String, Vec<u8>);

/// Who sends what about whom to whom.
#[derive(Clone, Copy, Debug)]
pub struct Sheet<'a> {
    /// The sending office.
    pub from: Player,
    /// The receiving office.
    pub to: Player,
    /// The user.
    pub person: &'a Person,
    /// The care-management office of the plan.
    pub manager: Player,
    /// The services of the user, with their offices.
    pub services: &'a [Player],
    /// YYYYMMDDHHMMSS.
    pub serial: &'a str,
}

impl Sheet<'_> {
    fn name(&self, prefix: &str, month: Option<&str>) -> String {
        let Self { from, to, serial, .. } = self;
        let month = month.map(|month| format!("{month}_")).unwrap_or_default();
        format!("{prefix}_{month}{}_{}_{}_{}_{serial}.CSV", from.number, from.kind, to.number, to.kind)
    }

    /// Plan documents (第1〜3表) with their supplement.
    pub fn plan(&self, policy: &str) -> Vec<MadeFile> {
        const FOLDER: &str = "01_plan_documents_to_visit";
        let first = self.made(FOLDER, "UP1KYO", |record| {
            set(
                record,
                &[("overall_support_policy", policy), ("care_support_office_no", self.manager.number)],
            );
        });
        let second = self.rows(FOLDER, "UP2KYO", self.services, |record, service| {
            set(record, &[("service_office_no", service.number), ("service_office_name", service.name)]);
        });
        vec![
            (self.name("UP1KYO", None), first),
            (self.name("UP2KYO", None), second),
            (self.name("UP3KYO", None), self.made(FOLDER, "UP3KYO", |_| {})),
            (self.name("UPHOSOKU", Some("000000")), self.supplement(FOLDER)),
        ]
    }

    /// Slips (第6・7表) of a month with their supplement: the visits of each service.
    pub fn slip(&self, month: &str, visits: &[&[Visit]]) -> Vec<MadeFile> {
        const FOLDER: &str = "03_slip_202602_to_visit";
        let annex = self.rows(FOLDER, "UPSIKYU", self.services, |record, service| {
            let code = format!("{}1211", service.kind);
            set(
                record,
                &[
                    ("target_month", month),
                    ("service_office_no", service.number),
                    ("service_office_name", service.name),
                    ("service_code", &code),
                ],
            );
        });
        let mut supplement = Vec::new();
        self.template(FOLDER, "UPHOSOKU", |record| {
            self.user(record);
            set(record, &[("target_month", month)]);
            record.write_to(&mut supplement);
        });
        vec![
            (self.name("UPPLAN", Some(month)), self.visits(FOLDER, "UPPLAN", month, self.services, visits)),
            (self.name("UPSIKYU", Some(month)), annex),
            (self.name("UPHOSOKU", Some(month)), supplement),
        ]
    }

    /// Results (実績) of a month from the sending office.
    pub fn result(&self, month: &str, visits: &[Visit]) -> Vec<MadeFile> {
        const FOLDER: &str = "06_result_202602_from_visit";
        let rows = self.visits(FOLDER, "UPJSK", month, &[self.from], &[visits]);
        vec![(self.name("UPJSK", Some(month)), rows)]
    }

    /// Plan documents withdrawn.
    pub fn withdraw_plan(&self) -> Vec<MadeFile> {
        vec![(self.name("DLT1KYO", None), self.made("09_delete_plan_documents", "DLT1KYO", |_| {}))]
    }

    /// The slip of a month withdrawn.
    pub fn withdraw_slip(&self, month: &str) -> Vec<MadeFile> {
        let rows = self.made("11_delete_slip", "DLTPLAN", |record| {
            set(record, &[("delete_target_month", month)]);
        });
        vec![(self.name("DLTPLAN", Some(month)), rows)]
    }

    /// Results of a month withdrawn.
    pub fn withdraw_result(&self, month: &str) -> Vec<MadeFile> {
        let rows = self.made("13_delete_result", "DLTJSK", |record| {
            let Player { number, kind, .. } = self.from;
            set(
                record,
                &[("delete_target_month", month), ("service_office_no", number), ("service_type", kind)],
            );
        });
        vec![(self.name("DLTJSK", Some(month)), rows)]
    }

    fn supplement(&self, folder: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.template(folder, "UPHOSOKU", |record| {
            self.user(record);
            record.write_to(&mut bytes);
        });
        bytes
    }

    /// The user's own items of a supplement.
    fn user(&self, record: &mut Record<'_>) {
        let Person { name, kana, sex, born, .. } = *self.person;
        set(
            record,
            &[
                ("user_name", name),
                ("user_name_kana", kana),
                ("user_sex", sex),
                ("user_birth_date", born),
                ("care_level", "22"),
            ],
        );
    }

    /// One row for each visit of each service.
    fn visits(
        &self,
        folder: &str,
        prefix: &str,
        month: &str,
        services: &[Player],
        visits: &[&[Visit]],
    ) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (service, visits) in services.iter().zip(visits) {
            for (day, from, to) in *visits {
                self.template(folder, prefix, |record| {
                    let (date, code) = (format!("{month}{day:02}"), format!("{}1211", service.kind));
                    set(
                        record,
                        &[
                            ("target_month", month),
                            ("plan_office_no", self.manager.number),
                            ("service_date", &date),
                            ("start_time", from),
                            ("end_time", to),
                            ("service_code", &code),
                            ("service_office_no", service.number),
                            ("service_office_name", service.name),
                        ],
                    );
                    record.write_to(&mut bytes);
                });
            }
        }
        bytes
    }

    /// One row for each service.
    fn rows(
        &self,
        folder: &str,
        prefix: &str,
        services: &[Player],
        change: impl Fn(&mut Record<'_>, &Player),
    ) -> Vec<u8> {
        let mut bytes = Vec::new();
        for service in services {
            self.template(folder, prefix, |record| {
                change(record, service);
                record.write_to(&mut bytes);
            });
        }
        bytes
    }

    fn made(&self, folder: &str, prefix: &str, change: impl Fn(&mut Record<'_>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.template(folder, prefix, |record| {
            change(record);
            record.write_to(&mut bytes);
        });
        bytes
    }

    /// The first record of a sample, with the user's numbers and who wrote it in their places.
    fn template(&self, folder: &str, prefix: &str, with: impl FnOnce(&mut Record<'_>)) {
        let of_kind = |sample: &&samples::Sample| sample.name.split('_').next() == Some(prefix);
        let sample = samples::of_folder(folder).find(of_kind).expect("the unit has such a file");
        let mut records = RecordReader::of(sample.name, sample.bytes).expect("samples read");
        let mut record = records.next().expect("samples have records").expect("samples read");
        set(&mut record, &[("insurer_no", INSURER), ("insured_no", self.person.insured)]);
        if record.text("updating_office_no").is_some() {
            set(&mut record, &[("updating_office_no", self.from.number)]);
        }
        with(&mut record);
    }
}

fn set(record: &mut Record<'_>, items: &[(&str, &str)]) {
    for (name, value) in items {
        record.set(name, value).unwrap_or_else(|error| panic!("{name} = {value}: {error}"));
    }
}
