//! The findings of a refused submission as text: a line for each, its parts between tabs.
//!
//! ```text
//! error⇥FIELD_COUNT⇥UPPLAN_….CSV⇥3⇥0⇥⇥12 items⇥項目の数が…⇥The number of items …
//! ```

use tasuki_proto::pb;

/// Findings that are kept of one submission. Who has more has the same fault many times, and was told all of them.
const MAX_FINDINGS: usize = 100;

/// Bytes of them. A finding has about 500, and an office's 1,000 submissions stay below 16 MiB.
const MAX_BYTES: usize = 16 * 1024;

/// Prints as many findings as are kept. Returns how many are not.
pub(super) fn print(findings: &[pb::Finding]) -> (String, u64) {
    let mut text = String::new();
    for (kept, finding) in findings.iter().enumerate() {
        let line = line(finding);
        if kept == MAX_FINDINGS || text.len() + line.len() > MAX_BYTES {
            return (text, u64::try_from(findings.len() - kept).unwrap_or(u64::MAX));
        }
        text.push_str(&line);
    }
    (text, 0)
}

fn line(finding: &pb::Finding) -> String {
    let parts = [
        &finding.severity,
        &finding.rule,
        &finding.file,
        &finding.line.to_string(),
        &finding.item.to_string(),
        &finding.item_name,
        &finding.shape,
        &finding.message_ja,
        &finding.message_en,
    ];
    let parts = parts.map(|part| part.replace(char::is_control, " "));
    format!("{}\n", parts.join("\t"))
}

/// Reads what [`print`] wrote; `None` if it did not.
pub(crate) fn read(text: &str) -> Option<Vec<pb::Finding>> {
    text.lines().map(finding).collect()
}

fn finding(line: &str) -> Option<pb::Finding> {
    let parts: Vec<&str> = line.split('\t').collect();
    let [severity, rule, file, line, item, item_name, shape, message_ja, message_en] =
        <[&str; 9]>::try_from(parts).ok()?;
    Some(pb::Finding {
        severity: severity.to_owned(),
        rule: rule.to_owned(),
        file: file.to_owned(),
        line: line.parse().ok()?,
        item: item.parse().ok()?,
        item_name: item_name.to_owned(),
        shape: shape.to_owned(),
        message_ja: message_ja.to_owned(),
        message_en: message_en.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(line: u32) -> pb::Finding {
        pb::Finding {
            rule: "FIELD_COUNT".into(),
            severity: "error".into(),
            file: "#3".into(),
            line,
            item: 0,
            item_name: String::new(),
            shape: "12 items".into(),
            message_ja: "項目の数が違います。".into(),
            message_en: "The number of items differs.".into(),
        }
    }

    #[test]
    fn findings_read_back_and_nothing_breaks_a_line() {
        let findings = [sample(1), pb::Finding { item: 7, item_name: "氏名".into(), ..sample(2) }];
        let (text, left_out) = print(&findings);
        assert_eq!((read(&text).unwrap(), left_out), (findings.to_vec(), 0));
        let (text, _) = print(&[pb::Finding { shape: "a\tb\nc\0".into(), ..sample(1) }]);
        assert_eq!(read(&text).unwrap()[0].shape, "a b c ");
        assert_eq!(read(""), Some(Vec::new()));
        assert_eq!(read("error\tFIELD_COUNT\n"), None);
    }

    #[test]
    fn many_findings_are_cut_and_counted() {
        let many: Vec<pb::Finding> = (0..1_000).map(sample).collect();
        let (text, left_out) = print(&many);
        let kept = read(&text).unwrap().len();
        assert_eq!((kept, left_out), (MAX_FINDINGS, 900));
        let long = pb::Finding { shape: "x".repeat(MAX_BYTES), ..sample(1) };
        assert_eq!(print(&[sample(1), long, sample(2)]).1, 2);
    }
}
