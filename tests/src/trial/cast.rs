//! Who takes part in the trial, and what happens in which order.

/// An office.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Player {
    /// 10 digits.
    pub number: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Service kind.
    pub kind: &'static str,
    /// How it is connected.
    pub connection: Connection,
}

/// How an office is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Connection {
    /// With its own certificate, by itself.
    Direct,
    /// Through a proxy to which it gave a delegation.
    Delegated(&'static str),
    /// Through a proxy that the operator registered: it has no certificate.
    Assigned(&'static str),
}

impl Connection {
    /// The proxy.
    pub fn proxy(self) -> Option<&'static str> {
        match self {
            Self::Direct => None,
            Self::Delegated(proxy) | Self::Assigned(proxy) => Some(proxy),
        }
    }
}

/// The proxies, with their names.
pub const PROXIES: [(&str, &str); 3] =
    [("P00004", "甲伝送サービス"), ("P00005", "乙伝送サービス"), ("P00006", "丙伝送サービス")];

const fn player(
    number: &'static str,
    name: &'static str,
    kind: &'static str,
    connection: Connection,
) -> Player {
    Player { number, name, kind, connection }
}

/// Care-management offices: A, B, C, and behind proxies G, H, I.
pub const MANAGERS: [Player; 6] = [
    player("1371215102", "A事業所", "43", Connection::Direct),
    player("9900200016", "B事業所", "43", Connection::Direct),
    player("9900200024", "C事業所", "43", Connection::Direct),
    player("9900200065", "G事業所", "43", Connection::Delegated("P00004")),
    player("9900200073", "H事業所", "43", Connection::Delegated("P00005")),
    player("9900200081", "I事業所", "43", Connection::Assigned("P00006")),
];

/// Service offices: D, E, F, and behind proxies J, K, L.
pub const PROVIDERS: [Player; 6] = [
    player("9900200032", "D事業所", "22", Connection::Direct),
    player("9900200040", "E事業所", "13", Connection::Direct),
    player("9900200057", "F事業所", "15", Connection::Direct),
    player("9900200099", "J事業所", "78", Connection::Delegated("P00004")),
    player("9900200107", "K事業所", "11", Connection::Delegated("P00005")),
    player("9900200115", "L事業所", "11", Connection::Assigned("P00006")),
];

/// A user of care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person {
    /// Name.
    pub name: &'static str,
    /// Its reading.
    pub kana: &'static str,
    /// 1 man, 2 woman.
    pub sex: &'static str,
    /// Insured number.
    pub insured: &'static str,
    /// YYYYMMDD.
    pub born: &'static str,
}

const fn person(
    name: &'static str,
    kana: &'static str,
    sex: &'static str,
    insured: &'static str,
    born: &'static str,
) -> Person {
    Person { name, kana, sex, insured, born }
}

/// A service on one day: day of the month, from, to.
pub type Visit = (u8, &'static str, &'static str);

/// What is done in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Plan documents, made or changed: the policy that they state.
    Plan(&'static str),
    /// Plan documents withdrawn.
    WithdrawPlan,
    /// A slip for a month: the visits of each service.
    Slip(&'static str, &'static [&'static [Visit]]),
    /// The slip of a month withdrawn.
    WithdrawSlip(&'static str),
    /// Results of a month from each service: the visits.
    Result(&'static str, &'static [&'static [Visit]]),
    /// Results of a month withdrawn.
    WithdrawResult(&'static str),
}

/// A user with the steps in order.
#[derive(Clone, Copy, Debug)]
pub struct Pattern {
    /// As the report names it.
    pub name: &'static str,
    /// Whom it is about.
    pub person: Person,
    /// Services of the user: 1 or 2.
    pub services: usize,
    /// In order.
    pub steps: &'static [Step],
}

const FEBRUARY: &str = "202602";
const MARCH: &str = "202603";

const ONCE: &[&[Visit]] =
    &[&[(1, "1300", "1400"), (8, "1300", "1400"), (15, "1300", "1400"), (22, "1300", "1400")]];
const MOVED: &[&[Visit]] =
    &[&[(2, "1300", "1400"), (8, "1400", "1500"), (15, "1300", "1400"), (22, "1300", "1400")]];
const ADDED: &[&[Visit]] = &[&[
    (2, "1300", "1400"),
    (15, "1300", "1400"),
    (22, "1300", "1400"),
    (23, "1300", "1400"),
    (26, "1300", "1400"),
]];
const DAY: &[Visit] =
    &[(3, "1300", "1600"), (10, "1300", "1600"), (17, "1300", "1600"), (24, "1300", "1600")];
const VISIT: &[Visit] =
    &[(5, "1300", "1600"), (12, "1300", "1600"), (19, "1300", "1600"), (26, "1300", "1600")];
const DAY_MOVED: &[Visit] =
    &[(4, "1300", "1600"), (10, "1400", "1700"), (17, "1300", "1600"), (24, "1300", "1600")];
const DAY_ADDED: &[Visit] =
    &[(4, "1300", "1600"), (17, "1300", "1600"), (24, "1300", "1600"), (25, "1300", "1600")];
const BOTH: &[&[Visit]] = &[DAY, VISIT];
const BOTH_MOVED: &[&[Visit]] = &[DAY_MOVED, VISIT];
const BOTH_ADDED: &[&[Visit]] = &[DAY_ADDED, VISIT];

const YOSHIDA: Person = person("吉田実", "ヨシダミノル", "1", "1234567896", "19090101");
const YAMADA: Person = person("山田貞子", "ヤマダサダコ", "2", "1234567897", "19190228");
const SASAKI: Person = person("佐々木一郎", "ササキイチロウ", "1", "1234567898", "19290312");
const YAMAGUCHI: Person = person("山口芳子", "ヤマグチヨシコ", "2", "H123456783", "19390430");
const MATSUMOTO: Person = person("松本博", "マツモトヒロシ", "1", "1234567899", "19090101");
const SAITO: Person = person("斉藤愛子", "サイトウアイコ", "2", "1234567900", "19190228");
const INOUE: Person = person("井上弘", "イノウエヒロシ", "1", "1234567901", "19290312");
const KIMURA: Person = person("木村清子", "キムラキヨコ", "2", "H123456784", "19390430");

const PLAN_STEPS: &[Step] =
    &[Step::Plan("自宅での生活を続ける"), Step::Plan("日中の活動を増やす"), Step::WithdrawPlan];

/// The trial's patterns.
pub const PATTERNS: [Pattern; 9] = [
    Pattern { name: "1-1", person: YOSHIDA, services: 1, steps: PLAN_STEPS },
    Pattern {
        name: "1-2",
        person: YAMADA,
        services: 1,
        steps: &[
            Step::Slip(FEBRUARY, ONCE),
            Step::Slip(FEBRUARY, MOVED),
            Step::Result(FEBRUARY, MOVED),
            Step::Slip(FEBRUARY, ADDED),
            Step::Result(FEBRUARY, ADDED),
        ],
    },
    Pattern {
        name: "1-2'",
        person: YAMADA,
        services: 1,
        steps: &[Step::Slip(FEBRUARY, ONCE), Step::Result(FEBRUARY, ONCE)],
    },
    Pattern {
        name: "1-3",
        person: SASAKI,
        services: 1,
        steps: &[Step::Slip(FEBRUARY, ONCE), Step::WithdrawSlip(FEBRUARY)],
    },
    Pattern {
        name: "1-4",
        person: YAMAGUCHI,
        services: 1,
        steps: &[
            Step::Slip(FEBRUARY, ONCE),
            Step::Slip(MARCH, ONCE),
            Step::Result(FEBRUARY, ONCE),
            Step::WithdrawResult(FEBRUARY),
        ],
    },
    Pattern { name: "2-1", person: MATSUMOTO, services: 2, steps: PLAN_STEPS },
    Pattern {
        name: "2-2",
        person: SAITO,
        services: 2,
        steps: &[
            Step::Slip(FEBRUARY, BOTH),
            Step::Slip(FEBRUARY, BOTH_MOVED),
            Step::Result(FEBRUARY, BOTH_MOVED),
            Step::Slip(FEBRUARY, BOTH_ADDED),
            Step::Result(FEBRUARY, BOTH_ADDED),
        ],
    },
    Pattern {
        name: "2-3",
        person: INOUE,
        services: 2,
        steps: &[Step::Slip(FEBRUARY, BOTH), Step::WithdrawSlip(FEBRUARY)],
    },
    Pattern {
        name: "2-4",
        person: KIMURA,
        services: 2,
        steps: &[
            Step::Slip(FEBRUARY, BOTH),
            Step::Slip(MARCH, BOTH),
            Step::Result(FEBRUARY, BOTH),
            Step::WithdrawResult(FEBRUARY),
        ],
    },
];

/// The service offices of a manager's user in a pattern: chosen so that every pairing of offices that are direct and
/// behind proxies occurs, and that two services are one of each.
pub fn partners(manager: usize, pattern: usize) -> Vec<Player> {
    let first = (manager + pattern) % PROVIDERS.len();
    let second = (first + PROVIDERS.len() / 2) % PROVIDERS.len();
    let both = [PROVIDERS[first], PROVIDERS[second]];
    both[..PATTERNS[pattern].services].to_vec()
}
