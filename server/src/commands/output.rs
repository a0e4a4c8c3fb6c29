//! What commands print: lines for people, or one JSON object per line for programs.
//!
//! Results go to standard output, everything else (errors, warnings, progress) to standard error, so that
//! `tasuki-relay … --json | program` never sees anything but objects.

use std::io::{self, Write};

use serde::Serialize;

use super::lang::{Lang, Text};

/// Where results and errors go, in which form and language.
pub(crate) struct Output {
    lang: Lang,
    json: bool,
    results: Box<dyn Write + Send>,
    errors: Box<dyn Write + Send>,
}

/// How a line on standard error begins.
#[derive(Clone, Copy)]
enum Level {
    Warning,
    Error,
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

    /// Whether programs read the results.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a result: an object for programs, or a line for people.
    pub(crate) fn result(&mut self, object: &impl Serialize, text: &Text) -> io::Result<()> {
        let mut line =
            if self.json { serde_json::to_vec(object)? } else { text.of(self.lang).as_bytes().to_vec() };
        line.push(b'\n');
        self.results.write_all(&line)?;
        self.results.flush()
    }

    /// Says something to people only: what they may do next.
    pub(crate) fn hint(&mut self, text: &Text) -> io::Result<()> {
        if self.json { Ok(()) } else { writeln!(self.results, "{}", text.of(self.lang)) }
    }

    /// Tells of something that somebody should look at and that does not stop the command.
    pub(crate) fn warn(&mut self, code: &str, text: &Text) {
        self.tell(Level::Warning, code, text);
    }

    /// Tells why the command ends without its result.
    pub(crate) fn error(&mut self, code: &str, text: &Text) {
        self.tell(Level::Error, code, text);
    }

    fn tell(&mut self, level: Level, code: &str, text: &Text) {
        let (key, head) = match (level, self.lang) {
            (Level::Warning, Lang::Ja) => ("warning", "警告"),
            (Level::Warning, Lang::En) => ("warning", "warning"),
            (Level::Error, Lang::Ja) => ("error", "エラー"),
            (Level::Error, Lang::En) => ("error", "error"),
        };
        let line = if self.json {
            serde_json::json!({ key: code, "message_ja": text.ja, "message_en": text.en }).to_string()
        } else {
            format!("{head}: {} [{code}]", text.of(self.lang))
        };
        // Standard error may be closed; the exit code says the rest.
        let _closed = writeln!(self.errors, "{line}");
    }
}

/// Output that tests read back.
#[cfg(test)]
pub(crate) mod captured {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Everything that was written to one stream.
    #[derive(Clone, Default)]
    pub(crate) struct Stream(Arc<Mutex<Vec<u8>>>);

    impl Stream {
        /// As text.
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }

        /// The JSON object on each line.
        pub(crate) fn objects(&self) -> Vec<serde_json::Value> {
            self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }
    }

    impl Write for Stream {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
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

    #[test]
    fn programs_get_objects_and_people_their_language() {
        let text = Text::new("停止しました", "suspended");
        let object = serde_json::json!({"office": "1371215102"});
        for (lang, json, expected) in [
            (Lang::Ja, false, "停止しました\n"),
            (Lang::En, false, "suspended\n"),
            (Lang::Ja, true, "{\"office\":\"1371215102\"}\n"),
        ] {
            let (mut out, results, errors) = Output::captured(lang, json);
            out.result(&object, &text).unwrap();
            assert_eq!(results.text(), expected);
            assert_eq!(errors.text(), "");
        }
    }

    #[test]
    fn errors_leave_standard_output_alone() {
        let text = Text::new("ありません", "not there");
        let (mut out, results, errors) = Output::captured(Lang::Ja, false);
        out.error("OFFICE_NOT_FOUND", &text);
        out.warn("CHECK_DIGIT", &text);
        assert_eq!(errors.text(), "エラー: ありません [OFFICE_NOT_FOUND]\n警告: ありません [CHECK_DIGIT]\n");
        assert_eq!(results.text(), "");
        let (mut out, _, errors) = Output::captured(Lang::En, true);
        out.error("OFFICE_NOT_FOUND", &text);
        assert_eq!(
            errors.objects(),
            [
                serde_json::json!({"error": "OFFICE_NOT_FOUND", "message_ja": "ありません", "message_en": "not there"})
            ]
        );
    }
}
