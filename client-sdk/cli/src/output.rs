//! What the command prints: lines for people, or one JSON object per line for programs.
//!
//! Results go to standard output, everything else (errors, notices, progress) to standard error, so that
//! `tasuki … --json | program` never sees anything but objects.

use std::io::{self, Write};

use serde::Serialize;

use crate::lang::{Lang, Text};

/// Where results and errors go, in which form and language.
pub(crate) struct Output {
    lang: Lang,
    json: bool,
    results: Box<dyn Write>,
    errors: Box<dyn Write>,
}

/// A remark as `--json` prints it, on standard error.
#[derive(Serialize)]
struct NoticeLine<'a> {
    notice: &'a str,
    message_ja: &'a str,
    message_en: &'a str,
}

/// An error as `--json` prints it, on standard error.
#[derive(Serialize)]
struct ErrorLine<'a> {
    error: &'a str,
    message_ja: &'a str,
    message_en: &'a str,
}

impl Output {
    /// Standard output and standard error.
    pub(crate) fn standard(lang: Lang, json: bool) -> Self {
        Self { lang, json, results: Box::new(io::stdout()), errors: Box::new(io::stderr()) }
    }

    /// The language of people's lines.
    pub(crate) fn lang(&self) -> Lang {
        self.lang
    }

    /// Whether results are JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints one object on a line of its own.
    pub(crate) fn object(&mut self, value: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        self.results.write_all(&line)?;
        self.results.flush()
    }

    /// Prints a line for people.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        writeln!(self.results, "{}", text.as_ref())
    }

    /// Prints several lines for people.
    pub(crate) fn lines<L: AsRef<str>>(&mut self, lines: impl IntoIterator<Item = L>) -> io::Result<()> {
        lines.into_iter().try_for_each(|line| self.line(line))
    }

    /// Prints a line for people in their language.
    pub(crate) fn say(&mut self, ja: &str, en: &str) -> io::Result<()> {
        let text = self.lang.pick(ja, en);
        self.line(text)
    }

    /// Prints bytes as they are: a script of completions.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.results.write_all(bytes)
    }

    /// Tells people something that is no result. Programs are not told.
    pub(crate) fn notice(&mut self, text: &Text) {
        if !self.json {
            // Standard error may be closed; the result does not depend on a notice.
            let _ = writeln!(self.errors, "{}", text.of(self.lang));
        }
    }

    /// Tells something that is no result and that programs may want to know as well: a line for people, or an object,
    /// on standard error.
    pub(crate) fn remark(&mut self, word: &str, message: &Text) {
        let line = if self.json {
            let line = NoticeLine { notice: word, message_ja: &message.ja, message_en: &message.en };
            serde_json::to_string(&line).unwrap_or_default()
        } else {
            let head = self.lang.pick("お知らせ", "notice");
            format!("{head}: {}", message.of(self.lang))
        };
        let _ = writeln!(self.errors, "{line}");
    }

    /// Tells why the command ends without its result: a line for people, or an object for programs.
    pub(crate) fn error(&mut self, reason: &str, message: &Text) {
        let line = if self.json {
            let line = ErrorLine { error: reason, message_ja: &message.ja, message_en: &message.en };
            serde_json::to_string(&line).unwrap_or_default()
        } else {
            let head = self.lang.pick("エラー", "error");
            format!("{head}: {} [{reason}]", message.of(self.lang))
        };
        let _ = writeln!(self.errors, "{line}");
    }
}

/// Output that tests read back.
#[cfg(test)]
pub(crate) mod captured {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    /// Everything that was written to one stream.
    #[derive(Clone, Default)]
    pub(crate) struct Stream(Rc<RefCell<Vec<u8>>>);

    impl Stream {
        /// As text.
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.borrow().clone()).unwrap()
        }

        /// The JSON object on each line.
        pub(crate) fn objects(&self) -> Vec<serde_json::Value> {
            self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }
    }

    impl Write for Stream {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Output {
        /// An output with what it wrote: results, errors.
        pub(crate) fn captured(lang: Lang, json: bool) -> (Self, Stream, Stream) {
            let (results, errors) = (Stream::default(), Stream::default());
            let output =
                Self { lang, json, results: Box::new(results.clone()), errors: Box::new(errors.clone()) };
            (output, results, errors)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Text {
        Text::new("届きません。", "It does not arrive.")
    }

    #[test]
    fn objects_stand_one_to_a_line() {
        let (mut out, results, _) = Output::captured(Lang::Ja, true);
        out.object(&serde_json::json!({"note": "一\n二"})).unwrap();
        out.object(&serde_json::json!({"state": "delivered"})).unwrap();
        assert_eq!(results.text(), "{\"note\":\"一\\n二\"}\n{\"state\":\"delivered\"}\n");
    }

    #[test]
    fn errors_leave_standard_output_alone() {
        let (mut out, results, errors) = Output::captured(Lang::Ja, false);
        out.error("RELAY_TIMEOUT", &message());
        out.notice(&Text::new("再接続中", "reconnecting"));
        assert_eq!(errors.text(), "エラー: 届きません。 [RELAY_TIMEOUT]\n再接続中\n");
        assert_eq!(results.text(), "");

        let (mut out, results, errors) = Output::captured(Lang::En, true);
        out.error("RELAY_TIMEOUT", &message());
        out.notice(&Text::new("再接続中", "reconnecting"));
        assert_eq!(
            errors.objects(),
            [serde_json::json!({
                "error": "RELAY_TIMEOUT", "message_ja": "届きません。", "message_en": "It does not arrive."
            })]
        );
        assert_eq!(results.text(), "");
    }

    #[test]
    fn people_are_told_in_their_language() {
        for (lang, expected) in [(Lang::Ja, "空です\n"), (Lang::En, "empty\n")] {
            let (mut out, results, _) = Output::captured(lang, false);
            out.say("空です", "empty").unwrap();
            assert_eq!(results.text(), expected);
        }
    }
}
