//! `tasuki offices --not-members FILE`: which partners still need the FAX, and an invitation for them.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;
use tasuki_careplan::office::OfficeNumber;
use tasuki_sdk::{FaxReason, NotReached, Partners, PartnersError, SdkError};

use crate::args::Offices;
use crate::content;
use crate::exit::{Exit, Failure};
use crate::lang::Text;
use crate::output::Output;
use crate::table::Table;

use super::Session;

/// A line of the list without an office number, as `--json` prints it.
#[derive(Serialize)]
struct BadLine {
    line: u64,
    reason: &'static str,
}

/// Tells who of a list can't be reached, and writes the invitation.
pub(super) fn run(list: &Path, args: &Offices, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let partners = read(list)?;
    let missing = session.run(session.client.not_reached(&partners))?;
    if let Some(file) = &args.invitation {
        let own = session.client.office();
        let name = session.run(session.client.office_by_number(own))?.map(|office| office.name);
        write(file, &invitation(own, &name.unwrap_or_default()))?;
    }
    print(&partners, &missing, out)?;
    let any = !missing.is_empty() || !partners.bad_lines.is_empty();
    Ok(if any && args.exit_code { Exit::Rejected } else { Exit::Done })
}

fn read(list: &Path) -> Result<Partners, Failure> {
    let bytes = std::fs::read(list).map_err(|error| io(list, &error))?;
    Partners::read(&bytes).map_err(|error| match error {
        PartnersError::TooLarge => Failure::usage(
            "相手先の一覧が大きすぎます（1万事業所、16 MiBまで）。",
            "the list of partners is too large: at most 10,000 offices and 16 MiB.",
        ),
        PartnersError::Encoding => Failure::usage(
            "相手先の一覧をUTF-8かShift_JISで保存してください。",
            "save the list of partners as UTF-8 or Shift_JIS (MS932).",
        ),
    })
}

fn write(file: &Path, page: &str) -> Result<(), Failure> {
    std::fs::write(file, page).map_err(|error| io(file, &error))
}

fn io(path: &Path, error: &std::io::Error) -> Failure {
    SdkError::Io { path: path.to_owned(), kind: error.kind(), message: error.to_string() }.into()
}

fn print(partners: &Partners, missing: &[NotReached], out: &mut Output) -> Result<(), Failure> {
    if out.is_json() {
        for office in missing {
            out.object(office)?;
        }
        for &line in &partners.bad_lines {
            out.object(&BadLine { line, reason: "no-number" })?;
        }
        return Ok(());
    }
    let lang = out.lang();
    if !missing.is_empty() {
        let mut table = Table::new(&[
            lang.pick("事業所番号", "NUMBER"),
            lang.pick("名称", "NAME"),
            lang.pick("理由", "REASON"),
        ]);
        for office in missing {
            table.row([office.number.as_str(), &office.name, why(office.reason).of(lang)]);
        }
        out.lines(table.lines())?;
    }
    for line in &partners.bad_lines {
        out.notice(&Text::new(
            format!("{line}行目: 事業所番号がありません。"),
            format!("line {line}: no office number."),
        ));
    }
    let (all, count) = (partners.offices.len(), missing.len());
    out.say(
        &format!("相手先{all}件のうち、{count}件はまだFAXなどが必要です。"),
        &format!("{count} of {all} partners still need the FAX."),
    )?;
    Ok(())
}

fn why(reason: FaxReason) -> Text {
    match reason {
        FaxReason::NotInDirectory => Text::new("事業所マスタにない", "not in the directory"),
        FaxReason::Suspended => Text::new("停止中", "suspended"),
        FaxReason::NoKey => Text::new("利用開始前（鍵がない）", "has not joined yet (no key)"),
    }
}

const STYLE: &str = "@page{size:A4;margin:22mm 20mm}\
body{font:11pt/1.8 \"Noto Sans CJK JP\",\"Noto Sans JP\",\"Hiragino Sans\",Meiryo,sans-serif;color:#111;\
max-width:170mm;margin:0 auto}h1{font-size:16pt;text-align:center;margin:6mm 0}.from{text-align:right}\
.en{color:#555;font-size:8.5pt;line-height:1.5;border-top:1px solid #aaa;margin-top:8mm;padding-top:3mm}";

/// The invitation: one page for anybody, so it names no other partner.
fn invitation(own: OfficeNumber, name: &str) -> String {
    let from = escaped(&content::office(own, name));
    let mut page = String::with_capacity(4096);
    let _ = write!(
        page,
        "<!DOCTYPE html>\n<html lang=\"ja\"><head><meta charset=\"utf-8\"><title>ケアプランデータ連携のご案内</title>\
         <style>{STYLE}</style></head><body>\n\
         <p>事業所　御中</p>\n<p class=\"from\">{from}</p>\n\
         <h1>ケアプランデータ連携のご案内</h1>\n\
         <p>平素より大変お世話になっております。当事業所では、サービス利用票・提供票などのケアプランデータを、FAXや郵送に代えて、\
         電子データで送受信しています。貴事業所とのやり取りも電子データに切り替えたく、ご案内申し上げます。</p>\n\
         <ul>\n<li>国の標準仕様（ケアプランデータ連携標準仕様）のファイルを、お使いの介護ソフトから取り込めます。転記は要りません。</li>\n\
         <li>データは電子署名と暗号で守られ、中継の途中で読まれることはありません。届いたことは記録で確かめられます。</li>\n\
         <li>ご利用には、介護報酬請求に使う電子証明書と、地域の運用主体への利用申請が必要です。</li>\n</ul>\n\
         <p>ご関心がおありでしたら、当事業所までご連絡ください。利用開始までは、これまでどおりFAXなどでお送りします。</p>\n\
         <p>ご連絡先（電話・担当者）：＿＿＿＿＿＿＿＿＿＿＿＿＿＿＿＿＿＿＿＿</p>\n\
         <div class=\"en\">Invitation. {from} exchanges care-plan data electronically instead of by FAX: files of the national \
         standard, signed and encrypted, with proof of delivery. To take part you need your billing certificate and an \
         application to the operator of the region. Please contact us; until then we go on as before.</div>\n</body></html>\n"
    );
    page
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::Lang;

    fn missing() -> NotReached {
        NotReached {
            number: "9971100012".parse().unwrap(),
            name: "あおぞら訪問介護".into(),
            line: 3,
            reason: FaxReason::NoKey,
        }
    }

    #[test]
    fn programs_get_one_object_per_partner_without_the_relay() {
        let partners = Partners::read(b"1371215102\n9971100012\nx\n").unwrap();
        let (mut out, results, _) = Output::captured(Lang::Ja, true);
        print(&partners, &[missing()], &mut out).unwrap();
        assert_eq!(
            results.objects(),
            [
                serde_json::json!({
                    "number": "9971100012", "name": "あおぞら訪問介護", "line": 3, "reason": "no-key"
                }),
                serde_json::json!({ "line": 3, "reason": "no-number" }),
            ]
        );
    }

    #[test]
    fn people_are_told_how_many_need_the_fax() {
        let partners = Partners::read(b"1371215102\n9971100012\n").unwrap();
        let (mut out, results, _) = Output::captured(Lang::En, false);
        print(&partners, &[missing()], &mut out).unwrap();
        assert!(results.text().contains("has not joined yet"), "{}", results.text());
        assert!(results.text().ends_with("1 of 2 partners still need the FAX.\n"));
    }

    #[test]
    fn a_name_is_no_markup() {
        let page = invitation("1371215102".parse().unwrap(), "<b>&");
        assert!(page.contains("1371215102 &lt;b&gt;&amp;") && !page.contains("<b>"), "{page}");
    }
}
