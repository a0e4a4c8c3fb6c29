//! `tasuki offices`: who takes part.

use tasuki_careplan::service::ServiceKind;
use tasuki_sdk::Office;

use crate::args::Offices;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::table::Table;

use super::{Session, not_members};

/// `tasuki offices WORDS…`, `tasuki offices --not-members FILE`.
pub(super) fn offices(args: &Offices, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    if let Some(list) = &args.not_members {
        return not_members::run(list, args, session, out);
    }
    let words = &args.words;
    let offices = session.run(session.client.offices(&words.join(" ")))?;
    print(&offices, out)?;
    Ok(Exit::Done)
}

fn print(offices: &[Office], out: &mut Output) -> Result<(), Failure> {
    if out.is_json() {
        for office in offices {
            out.object(office)?;
        }
    } else if offices.is_empty() {
        out.say("該当する事業所はありません。", "No office fits these words.")?;
    } else {
        out.lines(table(offices, out).lines())?;
    }
    Ok(())
}

fn table(offices: &[Office], out: &Output) -> Table {
    let lang = out.lang();
    let mut table = Table::new(&[
        lang.pick("事業所番号", "NUMBER"),
        lang.pick("名称", "NAME"),
        lang.pick("カナ", "READING"),
        lang.pick("市区町村", "MUNICIPALITY"),
        lang.pick("サービス", "SERVICES"),
        lang.pick("標準仕様", "STANDARD"),
        lang.pick("状態", "STATE"),
    ]);
    for office in offices {
        let services: Vec<String> = office.services.iter().map(|code| service(code)).collect();
        table.row([
            office.number.as_str(),
            &office.name,
            &office.kana,
            &office.municipality,
            &services.join(lang.pick("、", ", ")),
            if office.standard_ready { lang.pick("対応", "ready") } else { "-" },
            match office.state {
                "active" => lang.pick("利用中", "active"),
                "listed" => lang.pick("未利用", "not joined"),
                "left" => lang.pick("終了", "left"),
                _ => lang.pick("停止中", "suspended"),
            },
        ]);
    }
    table
}

/// A service kind with its name, which exists in Japanese only.
fn service(code: &str) -> String {
    let name = code.parse::<ServiceKind>().ok().and_then(|kind| kind.name_ja());
    name.map_or_else(|| code.to_owned(), |name| format!("{code} {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::Lang;

    fn office() -> Office {
        Office {
            number: "9971100012".parse().unwrap(),
            name: "あおぞら訪問介護".into(),
            kana: "アオゾラホウモンカイゴ".into(),
            services: vec!["11".into(), "??".into()],
            standard_ready: true,
            active: false,
            state: "suspended",
            municipality: "見本県見本市".into(),
            accepts: vec!["pdf".into()],
            declared: false,
            partner: None,
            since: "2026-02-01T00:00:00Z".into(),
            proxies: Vec::new(),
            has_key: None,
        }
    }

    #[test]
    fn programs_get_one_object_per_office() {
        let (mut out, results, _) = Output::captured(Lang::Ja, true);
        print(&[office()], &mut out).unwrap();
        let object = results.objects().remove(0);
        assert_eq!((&object["number"], &object["state"]), (&"9971100012".into(), &"suspended".into()));
        assert_eq!(object["name"], "あおぞら訪問介護");
        assert_eq!((&object["municipality"], &object["accepts"][0]), (&"見本県見本市".into(), &"pdf".into()));
    }

    #[test]
    fn people_see_what_services_an_office_gives() {
        let (mut out, results, _) = Output::captured(Lang::Ja, false);
        print(&[office()], &mut out).unwrap();
        assert!(results.text().contains("11 訪問介護、??"), "{}", results.text());
        let (mut out, results, _) = Output::captured(Lang::En, false);
        print(&[], &mut out).unwrap();
        assert_eq!(results.text(), "No office fits these words.\n");
    }
}
