//! What searches compare: text folded so that the spellings of one word meet, and stored keys that are made anew when the folding
//! changes.

use std::collections::HashMap;
use std::sync::LazyLock;

use sqlx::Row as _;
use unicode_normalization::UnicodeNormalization as _;

use super::rows::parsed;
use super::settings::SEARCH_KEYS;
use super::{Store, StoreError};

/// Version of the folding. Raise it when [`fold`] or what goes into a key changes: stored keys are then made anew.
const VERSION: u32 = 1;

/// Offices whose keys are made anew in one transaction: some milliseconds, in which nobody else can write.
const PIECE: i64 = 500;

/// Forms of kanji that names are written in, each before the one that it is found by: old forms (旧字体), variants (異体字) and, for
/// 斉/斎, characters that people take for one another. What Unicode itself folds (NFKC: 神 U+FA19, ㈱, half-width kana) need
/// not stand here. Folding finds more, never less: the directory shows names as they were given.
const KANJI: &str = "\
    澤沢邊辺邉辺齋斎齊斎斉斎髙高﨑崎嵜崎廣広國国圀国條条檜桧濱浜濵浜瀧滝龍竜櫻桜榮栄圓円壽寿惠恵德徳眞真實実藏蔵靜静\
    與与萬万豐豊學学會会醫医藥薬鐵鉄銕鉄嶋島嶌島峯峰冨富淵渕渊渕嶽岳槇槙曾曽關関彌弥彥彦禮礼祿禄假仮佛仏來来兒児內内\
    勞労區区單単嚴厳團団圍囲壓圧壯壮寶宝寬寛將将專専對対屬属巖巌帶帯應応戀恋擴拡攝摂收収數数晝昼曉暁樂楽樞枢橫横權権\
    歸帰步歩氣気淺浅淨浄溫温澁渋灣湾燈灯狹狭獨独畫画當当發発盡尽硏研碎砕禪禅稻稲穗穂穰穣絲糸經経綠緑緖緒縣県總総繪絵\
    繼継續続聲声聽聴腦脳臺台舊旧莊荘處処號号蟲虫衞衛裝装覺覚覽覧觀観譯訳證証讀読變変讓譲賣売輕軽轉転辨弁辯弁瓣弁遙遥\
    遞逓邨村鄕郷鄰隣釋釈錄録鎭鎮鑛鉱隱隠雙双雜雑靈霊顏顔顯顕飜翻餘余驛駅驗験體体髮髪鬪闘鷄鶏鷗鴎鹽塩麥麦黃黄黑黒點点\
    齒歯齡齢龜亀淸清靑青增増郞郎𠮷吉埜野舘館籠篭曻昇桒桑槗橋濟済瀨瀬賴頼爲為僞偽勳勲圖図壹壱壺壷巢巣廳庁廢廃從従惡悪\
    攜携敕勅斷断曆暦檢検歐欧歷歴殘残毆殴渴渇滿満潛潜焰焔燒焼營営爐炉爭争狀状獻献產産疊畳礙碍祕秘稱称竊窃粹粋肅粛膽胆\
    舍舎藝芸莖茎萠萌蘆芦蠶蚕蠣蛎豫予貳弐贊賛踐践遲遅邇迩醉酔釀醸錢銭閱閲陷陥隨随險険頰頬飮飲騷騒驅駆鬭闘黨党薗園籔薮\
    藪薮莵兎兔兎翆翠葊庵峽峡嶮険戶戸每毎淚涙";

static FORMS: LazyLock<HashMap<char, char>> = LazyLock::new(|| {
    let forms: Vec<char> = KANJI.chars().filter(|c| !c.is_whitespace()).collect();
    forms.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
});

/// Folds what people spell in several ways: width (half-width kana with their marks as well), kana form, old and new kanji, case,
/// hyphens, spaces. Both the stored key and the words asked for go through it.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.nfkc() {
        match c {
            // Hiragana to katakana
            '\u{3041}'..='\u{3096}' | '\u{309d}' | '\u{309e}' => {
                folded.push(char::from_u32(u32::from(c) + 0x60).unwrap_or(c));
            }
            // Variation selectors say how a kanji is drawn, not which it is.
            '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => {}
            '\u{2010}'..='\u{2015}' | '\u{2212}' => folded.push('-'),
            c if c.is_whitespace() => folded.push(' '),
            c => folded.extend(FORMS.get(&c).copied().unwrap_or(c).to_lowercase()),
        }
    }
    folded
}

/// How far stored keys were made anew.
enum Renewed {
    /// All of them.
    All,
    /// Those up to this number.
    To(String),
}

impl Renewed {
    fn read(setting: Option<String>) -> Self {
        let setting = setting.unwrap_or_default();
        let mut words = setting.split(' ');
        match (words.next().and_then(|version| version.parse::<u32>().ok()), words.next()) {
            // A later program's keys are not made anew by an earlier one.
            (Some(version), None) if version >= VERSION => Self::All,
            (Some(VERSION), Some(number)) => Self::To(number.to_owned()),
            _ => Self::To(String::new()),
        }
    }
}

impl Store {
    /// Makes stored search keys anew after the folding has changed: in pieces, each a transaction that also writes how far it
    /// came, so that whoever is stopped goes on there at the next start.
    pub(crate) async fn renew_search_keys(&self) -> Result<(), StoreError> {
        while let Renewed::To(after) = Renewed::read(self.setting(SEARCH_KEYS).await?) {
            self.renew_piece(&after).await?;
        }
        Ok(())
    }

    async fn renew_piece(&self, after: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let rows = sqlx::query(
            "SELECT number, name, kana, municipality, search_key FROM offices WHERE number > $1 ORDER BY number LIMIT $2",
        )
        .bind(after.to_owned())
        .bind(PIECE)
        .fetch_all(&mut *tx)
        .await?;
        let mut done = VERSION.to_string();
        for row in &rows {
            let number: String = parsed(row, "offices", "number", &"")?;
            let of = |column| row.try_get::<String, _>(column);
            let (name, kana, municipality, old) =
                (of("name")?, of("kana")?, of("municipality")?, of("search_key")?);
            let key = fold(&format!("{number} {name} {kana} {municipality}"));
            if key != old {
                // Another relay may have changed the office since it was read, and its key with it.
                sqlx::query("UPDATE offices SET search_key = $1 WHERE number = $2 AND search_key = $3")
                    .bind(key)
                    .bind(number.clone())
                    .bind(old)
                    .execute(&mut *tx)
                    .await?;
            }
            done = format!("{VERSION} {number}");
        }
        if i64::try_from(rows.len()).is_ok_and(|rows| rows < PIECE) {
            done = VERSION.to_string();
        }
        self.put_setting(&mut tx, SEARCH_KEYS, &done).await?;
        Ok(tx.commit().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialect::Dialect;
    use super::super::testing::{TestDatabase, on_both_databases};
    use super::*;

    /// Keys as an earlier program folded them are made anew, in several pieces, and from where it stopped.
    async fn stored_keys_are_made_anew_at_the_next_start(dialect: Dialect) {
        let database = TestDatabase::new(dialect).await;
        let store = database.open().await;
        let count = 2 * PIECE + 7;
        let mut tx = store.begin().await.unwrap();
        for n in 0..count {
            sqlx::query(
                "INSERT INTO offices (number, name, kana, services, standard_ready, state, search_key, changed_us) \
                 VALUES ($1, '髙田', '', '', 1, 'active', '髙田', 1)",
            )
            .bind(format!("{n:010}"))
            .execute(&mut *tx)
            .await
            .unwrap();
        }
        // It had come to the third office.
        store.put_setting(&mut tx, SEARCH_KEYS, &format!("{VERSION} {:010}", 2)).await.unwrap();
        tx.commit().await.unwrap();
        store.close().await;
        let store = database.open().await;
        let row = sqlx::query("SELECT COUNT(*) AS found FROM offices WHERE search_key LIKE '% 高田 %'");
        let found: i64 = row.fetch_one(store.read()).await.unwrap().try_get("found").unwrap();
        assert_eq!(found, count - 3);
        assert_eq!(store.setting(SEARCH_KEYS).await.unwrap(), Some(VERSION.to_string()));
        store.close().await;
    }

    on_both_databases!(stored_keys_are_made_anew_at_the_next_start);

    #[test]
    fn spellings_of_one_word_fold_alike() {
        for (a, b) in [
            ("ＡＢＣ　１２", "abc 12"),
            ("さくら", "サクラ"),
            ("Care", "care"),
            ("ｶﾞｰﾃﾞﾝﾊﾟｰｸ", "ガーデンパーク"),
            ("か\u{3099}", "ガ"),
            ("澤田ケアセンター", "沢田けあせんたー"),
            ("髙﨑", "高崎"),
            ("齋藤", "斉藤"),
            ("渡邉", "渡邊"),
            ("㈱みどり", "(株)ミドリ"),
            ("神\u{e0100}田", "神田"),
            ("一−二", "一-二"),
        ] {
            assert_eq!(fold(a), fold(b));
        }
        assert_ne!(fold("ハナ"), fold("バナ"), "the marks of kana make other words");
    }

    #[test]
    fn every_form_of_a_kanji_has_one_end() {
        let forms: Vec<char> = KANJI.chars().filter(|c| !c.is_whitespace()).collect();
        assert!(forms.len().is_multiple_of(2));
        for (from, to) in &*FORMS {
            assert!(!FORMS.contains_key(to), "{from} becomes {to}, which becomes another");
            assert_eq!(from.nfkc().collect::<String>(), from.to_string(), "Unicode folds {from} itself");
        }
        let unique: std::collections::HashSet<char> = forms.chunks_exact(2).map(|pair| pair[0]).collect();
        assert_eq!(unique.len(), forms.len() / 2, "a form stands twice");
    }
}
