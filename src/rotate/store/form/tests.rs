use super::*;
use crate::rotate::store::tests::{key, text};

/// Sets a value and gives the text around it.
fn set(form: Form, before: &str, field: &str, value: &str) -> Result<String, &'static str> {
    form.set(before, field, &Secret::new(value.as_bytes())).map(|t| t.to_string()).map_err(|e| e.0)
}

fn says(form: Form, file: &str, field: &str) -> Result<Option<String>, &'static str> {
    form.find(file, field).map(|s| s.map(|s| text(&s.value))).map_err(|e| e.0)
}

#[test]
fn only_the_one_value_changes() {
    let new = text(&key(2));
    for (form, file, field, old) in [
        (Form::Dotenv, "A=1\nKEY=<old>\nB=2\n", "KEY", "old"),
        (
            Form::Dotenv,
            "# KEY=no\r\nexport KEY = \"<o\\\"ld>\" # note\r\nB='x\r\nKEY=no\r\n'\r\n",
            "KEY",
            "o\"ld",
        ),
        (Form::Dotenv, "\u{feff}  export\tKEY='<o#ld>'", "KEY", "o#ld"),
        (Form::Dotenv, "KEY=<a#b> # c # d\nMY_KEY=x\nKEY2=y\n", "KEY", "a#b"),
        (Form::Dotenv, "KEY=`<old>`\nT=\"\\\"\nKEY=no\n\"\n", "KEY", "old"),
        (Form::Dotenv, "KEY=<>\nB=it's\n", "KEY", ""),
        (Form::Properties, "! KEY=no\n a.b = <old>\nc: d\\\n  a.b=no\n", "a.b", "old"),
        (Form::Properties, "a\\ b\t<o\\u006cd\\\r\n   er>\r\nz=1", "a b", "older"),
        (Form::Json, "{ \"a\": [1e400, {\"k/~\": \"<o\\u006cd>\"}],\n\t\"k\":\"x\" }\n", "/a/1/k~1~0", "old"),
        (Form::Json, "{\"k\":\"<old>\"}", "k", "old"),
        (Form::Toml, "# k = 'no'\n[a]\nk = '<old>' # c\n[b]\nk = 'x'\n", "/a/k", "old"),
        (Form::Toml, "a = { k = \"<o\\\"ld>\" }\r\nn = 0x1F\r\n", "/a/k", "o\"ld"),
        (
            Form::Yaml,
            "# k: no\na:\n  - x: 1\n    k: <old>  # ä\n  - &q {k: b}\nk: |\n  k: no\n",
            "/a/0/k",
            "old",
        ),
        (Form::Yaml, "ä: ü\n? [k]\n: 1\nk: '<it''s>'\nz: {\"k\": \"q\"}\n", "k", "it's"),
        (Form::Yaml, "a: {b: \"<o\\x6cd>\", c: *no}\n", "/a/b", "old"),
    ] {
        let plain = file.replace(['<', '>'], "");
        let plain = if form == Form::Yaml { plain.replace("*no", "d") } else { plain };
        assert_eq!(says(form, &plain, field), Ok(Some(old.to_owned())), "{plain}");
        let after = set(form, &plain, field, &new).unwrap_or_else(|e| panic!("{plain}: {e}"));
        let (head, rest) = file.split_once('<').unwrap();
        let tail = rest.split_once('>').unwrap().1.replace("*no", "d");
        assert_eq!(after, format!("{head}{new}{tail}"), "{plain}");
        assert_eq!(says(form, &after, field), Ok(Some(new.clone())));
    }
}

#[test]
fn values_that_need_quotes_get_them_or_are_refused() {
    for (form, file, value, want) in [
        (Form::Dotenv, "K=a", "a b$c#\"d\\", Some("K='a b$c#\"d\\'")),
        (Form::Dotenv, "K=\"a\"", "x$y", Some("K='x$y'")),
        (Form::Dotenv, "K=a", "it's", None),
        (Form::Dotenv, "K=a", "two\nlines", None),
        (Form::Dotenv, "K=a", "", None),
        (Form::Properties, "K=a", " a\\b=ä", Some("K=\\ a\\\\b=\\u00e4")),
        (Form::Json, "{\"K\":\"a\"}", "q\"\\ä", Some("{\"K\":\"q\\\"\\\\ä\"}")),
        (Form::Toml, "K = 'a'", "it's", Some("K = \"it's\"")),
        (Form::Toml, "K = \"a\"", "q\"", Some("K = \"q\\\"\"")),
        (Form::Yaml, "K: a", "12345678901", Some("K: \"12345678901\"")),
        (Form::Yaml, "K: a", "null", Some("K: \"null\"")),
        (Form::Yaml, "K: a", "x: #y", Some("K: \"x: #y\"")),
        (Form::Yaml, "K: 'a'", "it's", Some("K: 'it''s'")),
    ] {
        assert_eq!(set(form, file, "K", value).ok().as_deref(), want, "{file} {value}");
    }
}

#[test]
fn what_is_not_clear_is_refused() {
    for (form, file, field, why) in [
        (Form::Dotenv, "K=1\nK=2", "K", "more than once"),
        (Form::Dotenv, "K='a", "K", "quotes"),
        (Form::Dotenv, "K='a'b", "K", "quotes"),
        (Form::Properties, "K=1\nK:2", "K", "more than once"),
        (Form::Properties, "K=\\uZZZZ", "K", "escape"),
        (Form::Json, "{\"K\":\"1\",\"\\u004b\":\"2\"}", "K", "more than once"),
        (Form::Json, "{\"K\":1}", "K", "not a text"),
        (Form::Json, "{\"K\":\"1\"} x", "K", "valid JSON"),
        (Form::Json, "{\"K\":\"1\"}", "/K~2", "pointer"),
        (Form::Toml, "K = 1", "K", "not a text"),
        (Form::Toml, "K = \"\"\"a\nb\"\"\"", "K", "several lines"),
        (Form::Toml, "K = 'a'\nK = 'b'", "K", "valid TOML"),
        (Form::Yaml, "K: a\nK: b", "K", "more than once"),
        (Form::Yaml, "K: a\n---\nK: b", "K", "several YAML documents"),
        (Form::Yaml, "K: |\n  a\n", "K", "several lines"),
        (Form::Yaml, "K: a\n  b\n", "K", "several lines"),
        (Form::Yaml, "K: &x a", "K", "anchor"),
        (Form::Yaml, "a: &x b\nK: *x", "K", "alias"),
        (Form::Yaml, "K: {a: b}", "K", "not a text"),
        (Form::Yaml, "K: !s a", "K", "tag"),
        (Form::Yaml, "K: a\nb: [", "K", "valid YAML"),
    ] {
        let told = says(form, file, field).expect_err(file);
        assert!(told.contains(why), "{file}: {told}");
    }
    for (form, file) in [
        (Form::Dotenv, "# K=1\nKK=2\nA='\nK=3\n'"),
        (Form::Properties, "#K=1\nKK=2"),
        (Form::Json, "{\"a\":{\"K\":\"1\"}}"),
        (Form::Toml, "[a]\nK = 'x'"),
        (Form::Yaml, "a:\n  K: b\nb: [K, {K: c}]\n? {K: d}\n: e"),
    ] {
        assert_eq!(says(form, file, "K"), Ok(None), "{file}");
        assert_eq!(set(form, file, "K", "x"), Err("the file has no such field"));
    }
}

#[test]
fn hostile_text_ends_quickly() {
    let started = std::time::Instant::now();
    for form in [Form::Dotenv, Form::Json, Form::Yaml, Form::Toml, Form::Properties] {
        for piece in ["[", "{\"K\":", "K='", "K: ", "- ", "\\\n", "\"", "? ", "&a ", "K.", "\u{feff}"] {
            let file = piece.repeat(20_000 / piece.len());
            // Whatever is found, the rest of the text is still there.
            if let Ok(after) = set(form, &file, "K", "new") {
                assert!(after.contains("new"));
            }
        }
    }
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}
