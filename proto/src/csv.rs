//! Tables for spreadsheets, as both sides write them.

/// How a field begins that a spreadsheet would take for a formula; Japanese ones take the wide forms, too.
const FORMULA: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];

/// One row (RFC 4180), without its line end. A field that a spreadsheet would take for a formula is kept from that.
pub fn row(fields: &[&str]) -> String {
    let field = |text: &&str| {
        let formula = text.starts_with(FORMULA) && text.len() > 1;
        let text = if formula { format!("'{text}") } else { (*text).to_owned() };
        if text.contains([',', '"', '\r', '\n']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text
        }
    };
    fields.iter().map(field).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_can_not_break_out_of_their_column() {
        assert_eq!(row(&["a", "", "b,c", "d\"e", "=1+1", "-"]), "a,,\"b,c\",\"d\"\"e\",'=1+1,-");
        assert_eq!(row(&["＝1+1", "\t=1", "\r=1", "ー"]), "'＝1+1,'\t=1,\"'\r=1\",ー");
    }
}
