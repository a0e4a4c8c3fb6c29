//! `tasuki standard`: what of the standard is known.

use serde::Serialize;
use tasuki_careplan::edition::Edition;
use tasuki_careplan::kind::FileKind;
use tasuki_careplan::layout::Layout;
use tasuki_careplan::unit::{Scope, UnitRule};

use crate::exit::{Exit, Failure};
use crate::lang::Lang;
use crate::output::Output;
use crate::table::Table;

/// One object of each kind; `known` tells which.
#[derive(Serialize)]
#[serde(tag = "known", rename_all = "snake_case")]
enum Known {
    Edition {
        edition: &'static str,
        /// Item 1 of every record.
        csv_version: &'static str,
        first_service_month: String,
    },
    FileType {
        prefix: &'static str,
        name_ja: &'static str,
        name_en: &'static str,
        file_name: &'static str,
        /// In which editions.
        editions: Vec<&'static str>,
    },
    Layout {
        prefix: &'static str,
        edition: &'static str,
        items: usize,
    },
    SendUnit {
        unit: &'static str,
        scope: &'static str,
        direction: &'static str,
        required: Vec<&'static str>,
        optional: Vec<&'static str>,
        only_until_3_2: bool,
    },
}

/// `tasuki standard`.
pub(super) fn standard(out: &mut Output) -> Result<Exit, Failure> {
    if out.is_json() {
        for known in all() {
            out.object(&known)?;
        }
        return Ok(Exit::Done);
    }
    let lang = out.lang();
    for (title, table) in [
        (lang.pick("版", "Editions"), editions(lang)),
        (lang.pick("ファイル種別とレイアウト", "File types and layouts"), types(lang)),
        (lang.pick("送信単位", "Send units"), units(lang)),
    ] {
        out.line(title)?;
        out.lines(table.lines().map(|line| format!("  {line}")))?;
        out.line("")?;
    }
    out.say(
        "（ ）のファイルは任意です。検査の規則は tasuki check の結果に名前で示されます。",
        "Files in parentheses are optional. Findings of tasuki check name the rules.",
    )?;
    Ok(Exit::Done)
}

fn all() -> Vec<Known> {
    let editions = Edition::ALL.into_iter().map(|edition| Known::Edition {
        edition: edition.as_str(),
        csv_version: edition.version(),
        first_service_month: edition.first_month().to_string(),
    });
    let types = FileKind::ALL.into_iter().map(|kind| Known::FileType {
        prefix: kind.prefix(),
        name_ja: kind.name_ja(),
        name_en: kind.name_en(),
        file_name: kind.name_pattern(),
        editions: editions_of(kind),
    });
    let layouts = FileKind::ALL.into_iter().flat_map(Layout::all_of).map(|layout| Known::Layout {
        prefix: layout.kind.prefix(),
        edition: layout.edition.as_str(),
        items: layout.items.len(),
    });
    let units = UnitRule::all().iter().map(|rule| Known::SendUnit {
        unit: rule.id,
        scope: match rule.scope {
            Scope::Home => "home",
            Scope::Preventive => "preventive",
        },
        direction: rule.direction,
        required: prefixes(&rule.required),
        optional: prefixes(&rule.optional),
        only_until_3_2: rule.only_3_2,
    });
    editions.chain(types).chain(layouts).chain(units).collect()
}

fn prefixes(kinds: &[FileKind]) -> Vec<&'static str> {
    kinds.iter().map(|kind| kind.prefix()).collect()
}

fn editions_of(kind: FileKind) -> Vec<&'static str> {
    let has = |edition: &Edition| *edition != Edition::V3_2 || kind.in_edition_3_2();
    Edition::ALL.iter().filter(|edition| has(edition)).map(|edition| edition.as_str()).collect()
}

fn editions(lang: Lang) -> Table {
    let mut table = Table::new(&[
        lang.pick("版", "EDITION"),
        lang.pick("CSVバージョン", "CSV VERSION"),
        lang.pick("適用開始年月", "FROM SERVICE MONTH"),
    ]);
    for edition in Edition::ALL {
        let month = edition.first_month();
        let month = format!("{}-{:02}", month.year(), month.month());
        table.row([edition.as_str(), edition.version(), &month]);
    }
    table
}

fn types(lang: Lang) -> Table {
    let mut table = Table::new(&[
        lang.pick("種別", "TYPE"),
        lang.pick("名称", "NAME"),
        lang.pick("版", "EDITIONS"),
        lang.pick("項目数（レイアウトの版）", "ITEMS (EDITION OF THE LAYOUT)"),
    ]);
    for kind in FileKind::ALL {
        let layouts =
            Layout::all_of(kind).map(|layout| format!("{} ({})", layout.items.len(), layout.edition));
        let layouts: Vec<String> = layouts.collect();
        let layouts =
            if layouts.is_empty() { lang.pick("画像", "image").to_owned() } else { layouts.join(", ") };
        table.row([
            kind.prefix(),
            lang.pick(kind.name_ja(), kind.name_en()),
            &editions_of(kind).join(", "),
            &layouts,
        ]);
    }
    table
}

fn units(lang: Lang) -> Table {
    let mut table = Table::new(&[
        lang.pick("単位", "UNIT"),
        lang.pick("区分", "FOR"),
        lang.pick("方向", "DIRECTION"),
        lang.pick("ファイル", "FILES"),
    ]);
    for rule in UnitRule::all() {
        let scope = match rule.scope {
            Scope::Home => lang.pick("居宅", "home care"),
            Scope::Preventive => lang.pick("介護予防", "preventive care"),
        };
        let optional = rule.optional.iter().map(|kind| format!("({kind})"));
        let files: Vec<String> = rule.required.iter().map(ToString::to_string).chain(optional).collect();
        let until = if rule.only_3_2 { lang.pick("（3.2版まで）", " (until 3.2)") } else { "" };
        table.row([rule.id, scope, rule.direction, &format!("{}{until}", files.join(" "))]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_get_one_object_for_each_thing_known() {
        let (mut out, results, _) = Output::captured(Lang::Ja, true);
        assert_eq!(standard(&mut out).unwrap(), Exit::Done);
        let objects = results.objects();
        let count = |known: &str| objects.iter().filter(|object| object["known"] == known).count();
        assert_eq!((count("edition"), count("file_type"), count("layout")), (2, 18, 20));
        assert_eq!(count("send_unit"), UnitRule::all().len());
    }

    #[test]
    fn people_see_it_in_their_language() {
        for (lang, word) in [(Lang::Ja, "サービス"), (Lang::En, "Send units")] {
            let (mut out, results, _) = Output::captured(lang, false);
            standard(&mut out).unwrap();
            let text = results.text();
            assert!(
                text.contains(word) && text.contains("UPKIHON_IMAGE") && text.contains("202407"),
                "{text}"
            );
        }
    }
}
