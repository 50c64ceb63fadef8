//! The table.

use super::Case;
use super::pack::{
    base64, base64_url, bzip2, each, gzip, tar, utf16, wrapped, wrapped_line, xz, zip, zip_stored, zstd,
};

/// What stands in an archive or an encoding: the key is on line 2.
fn env_file(t: &str) -> String {
    format!("LOG_LEVEL=info\nGITHUB_TOKEN={t}\nPORT=8080\n")
}

/// A longer text for wrapped encodings, and where the key begins in it.
fn long(t: &str) -> (String, usize) {
    let head = "# deployment settings\nregion = eu-central-1\nreplicas = 3\nowner = platform\n";
    (format!("{head}github_token = {t}\nlog = info\n"), head.len() + "github_token = ".len())
}

/// A text around the key: its two halves, the key between them.
macro_rules! text {
    ($name:literal, $file:literal, $line:literal, $build:expr) => {
        Case { name: $name, file: $file, build: |t| ($build)(t).into(), line: |_| $line }
    };
}

macro_rules! bytes {
    ($name:literal, $file:literal, $line:literal, $build:expr) => {
        Case { name: $name, file: $file, build: $build, line: |_| $line }
    };
}

fn plain() -> Vec<Case> {
    vec![
        text!("plain in .env", ".env", 2, |t: &str| env_file(t)),
        text!("plain in JSON", "settings.json", 2, |t: &str| format!("{{\n  \"githubToken\": \"{t}\"\n}}\n")),
        text!("plain in YAML", "deploy.yaml", 2, |t: &str| format!("ci:\n  github_token: {t}\n")),
        text!("plain in TOML", "app.toml", 2, |t: &str| format!("[github]\ntoken = \"{t}\"\n")),
        text!("plain in XML", "app.xml", 2, |t: &str| format!("<config>\n  <token>{t}</token>\n</config>\n")),
        text!("plain in INI", "app.ini", 2, |t: &str| format!("[github]\ntoken={t}\n")),
        text!("plain in shell", "deploy.sh", 2, |t: &str| format!("#!/bin/sh\nexport GH_TOKEN='{t}'\n")),
        text!("plain in Python", "client.py", 2, |t: &str| format!("import os\nTOKEN = \"{t}\"\n")),
        text!("plain in JavaScript", "client.js", 2, |t: &str| format!("'use strict';\nconst k = `{t}`;\n")),
        text!("plain in C", "client.c", 2, |t: &str| format!("#include <stdio.h>\n#define TOKEN \"{t}\"\n")),
        text!("plain in HCL", "main.tf", 2, |t: &str| format!(
            "provider \"github\" {{\n  token = \"{t}\"\n}}\n"
        )),
        text!("plain in properties", "app.properties", 2, |t: &str| format!("a=1\ngithub.token={t}\n")),
        text!("plain in HTML", "index.html", 2, |t: &str| format!(
            "<html>\n<meta name=\"token\" content=\"{t}\">\n"
        )),
        text!("plain in Markdown", "notes.md", 2, |t: &str| format!("# Setup\nUse `{t}` to log in.\n")),
        text!("URL with credentials", "remotes.txt", 2, |t: &str| {
            format!("origin\nhttps://x-access-token:{t}@github.com/acme/app.git\n")
        }),
        text!("Jupyter notebook", "analysis.ipynb", 6, |t: &str| {
            format!(
                "{{\n \"cells\": [{{\n  \"cell_type\": \"code\",\n  \"source\": [\n   \"import os\\n\",\n   \"token = '{t}'\\n\"\n  ]\n }}]\n}}\n"
            )
        }),
        text!("CRLF line ends", "app.conf", 3, |t: &str| format!("a=1\r\nb=2\r\ntoken={t}\r\nc=3\r\n")),
        text!("JSON-escaped newline before the key", "event.json", 2, |t: &str| {
            format!("{{\n  \"log\": \"started\\n{t}\\nended\"\n}}\n")
        }),
        text!("line of 5 MB", "bundle.js", 1, |t: &str| {
            let half = "var a=function(e){return e+1};".repeat((5 << 20) / 60);
            format!("{half}k=\"{t}\";{half}")
        }),
        bytes!("binary with NULs", "app.bin", 1, |t| {
            [b"\x7fELF\x02\x01\x01\0\0\0\0\0", t.as_bytes(), b"\0\0\0\x03\xff\xfe\0"].concat()
        }),
        bytes!("Latin-1 text", "notes.txt", 2, |t| [b"Schl\xfcssel:\n\xa7 ", t.as_bytes(), b" \xe4\n"]
            .concat()),
    ]
}

fn encoded() -> Vec<Case> {
    vec![
        text!("base64 of the key", "a.txt", 2, |t: &str| format!("data\nauth = {}\n", base64(t.as_bytes()))),
        text!("base64 of a file", "a.txt", 1, |t: &str| format!("env={}\n", base64(env_file(t).as_bytes()))),
        text!("base64 URL-safe", "a.txt", 1, |t: &str| {
            format!("state={}\n", base64_url(format!("??>>~~{t}~~>>??").as_bytes()))
        }),
        text!("base64 unpadded", "a.txt", 2, |t: &str| {
            format!("x\nk: {}\n", base64(t.as_bytes()).trim_end_matches('='))
        }),
        Case {
            name: "base64 wrapped at 64",
            file: "a.txt",
            build: |t| format!("begin\n{}", wrapped(long(t).0.as_bytes(), 64, "")).into(),
            line: |t| 2 + wrapped_line(long(t).1, 64),
        },
        Case {
            name: "base64 wrapped at 76",
            file: "mail.eml",
            build: |t| {
                let head = "MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\n";
                format!("{head}{}", wrapped(long(t).0.as_bytes(), 76, "").replace('\n', "\r\n")).into()
            },
            line: |t| 4 + wrapped_line(long(t).1, 76),
        },
        Case {
            name: "base64 wrapped and indented in YAML",
            file: "cloud-init.yaml",
            build: |t| format!("files:\n- content: |\n{}", wrapped(long(t).0.as_bytes(), 64, "    ")).into(),
            line: |t| 3 + wrapped_line(long(t).1, 64),
        },
        text!("Kubernetes secret", "secret.yaml", 4, |t: &str| {
            format!("apiVersion: v1\nkind: Secret\ndata:\n  token: {}\n", base64(t.as_bytes()))
        }),
        text!("base64 in JSON", "a.json", 1, |t: &str| format!(
            "{{\"auth\":\"{}\"}}\n",
            base64(t.as_bytes())
        )),
        text!("basic header", "req.http", 2, |t: &str| {
            format!("GET / HTTP/1.1\nAuthorization: Basic {}\n", base64(format!("me:{t}").as_bytes()))
        }),
        text!("data URI", "page.html", 1, |t: &str| {
            format!("<a href=\"data:text/plain;base64,{}\">\n", base64(env_file(t).as_bytes()))
        }),
        text!("double base64", "a.txt", 1, |t: &str| format!(
            "k={}\n",
            base64(base64(t.as_bytes()).as_bytes())
        )),
        text!("base64 in percent", "a.log", 2, |t: &str| {
            let inner = base64(format!("user:{t}").as_bytes());
            format!("GET\n/cb?state={}\n", each(&inner, |b| format!("%{b:02X}")))
        }),
        text!("gzip in base64", "values.yaml", 2, |t: &str| {
            format!("release:\n  data: {}\n", base64(&gzip(env_file(t).as_bytes())))
        }),
        text!("gzip in double base64", "helm.yaml", 2, |t: &str| {
            format!("data:\n  release: {}\n", base64(base64(&gzip(env_file(t).as_bytes())).as_bytes()))
        }),
        text!("hexadecimal", "a.txt", 2, |t: &str| format!(
            "dump\nhex={}\n",
            each(t, |b| format!("{b:02x}"))
        )),
        text!("percent, all of it", "a.log", 2, |t: &str| {
            format!("GET\n/?t={}\n", each(t, |b| format!("%{b:02x}")))
        }),
        text!("percent, the underscore only", "a.log", 1, |t: &str| format!(
            "/?t={}\n",
            t.replace('_', "%5F")
        )),
        text!("\\u escapes", "a.js", 2, |t: &str| format!("\nk='{}'\n", each(t, |b| format!("\\u{b:04x}")))),
        text!("\\x escapes", "a.py", 2, |t: &str| format!("\nk='{}'\n", each(t, |b| format!("\\x{b:02x}")))),
        text!("HTML entities, decimal", "a.html", 2, |t: &str| {
            format!("<p>\n{}\n</p>\n", each(t, |b| format!("&#{b};")))
        }),
        text!("HTML entities, hexadecimal", "a.xml", 2, |t: &str| {
            format!("<p>\n{}\n</p>\n", each(t, |b| format!("&#x{b:X};")))
        }),
        bytes!("UTF-16 LE with BOM", "a.reg", 2, |t| utf16(&format!("[x]\r\n\"k\"=\"{t}\"\r\n"), true, true)),
        bytes!("UTF-16 BE with BOM", "b.reg", 2, |t| utf16(
            &format!("[x]\r\n\"k\"=\"{t}\"\r\n"),
            false,
            true
        )),
        bytes!("UTF-16 LE without BOM", "a.strings", 2, |t| utf16(&env_file(t), true, false)),
        bytes!("UTF-16 BE without BOM", "b.strings", 2, |t| utf16(&env_file(t), false, false)),
    ]
}

fn joined() -> Vec<Case> {
    vec![
        text!("JavaScript literals with +", "a.js", 1, |t: &str| {
            format!("const k = \"{}\" + \"{}\";\n", &t[..4], &t[4..])
        }),
        text!("Python implicit literals", "a.py", 2, |t: &str| {
            format!("KEY = (\n    \"{}\"\n    \"{}\"\n)\n", &t[..20], &t[20..])
        }),
        text!("C adjacent literals", "a.c", 1, |t: &str| format!(
            "char *k = \"{}\" \"{}\";\n",
            &t[..9],
            &t[9..]
        )),
        text!("shell backslash and newline", "a.sh", 1, |t: &str| {
            format!("K=\"{}\\\n{}\"\n", &t[..17], &t[17..])
        }),
        text!("shell adjacent literals over lines", "b.sh", 2, |t: &str| {
            format!("#!/bin/sh\nK=\"{}\"\\\n\"{}\"\n", &t[..17], &t[17..])
        }),
        text!("Java literals with + over lines", "A.java", 2, |t: &str| {
            format!(
                "class A {{\n  String k = \"{}\"\n    + \"{}\"\n    + \"{}\";\n}}\n",
                &t[..8],
                &t[8..24],
                &t[24..]
            )
        }),
        text!("Visual Basic literals with &", "a.vb", 1, |t: &str| {
            format!("Dim k = \"{}\" & _\n  \"{}\"\n", &t[..11], &t[11..])
        }),
        text!("Visual Basic literals with & on a line", "b.vb", 1, |t: &str| {
            format!("Dim k = \"{}\" & \"{}\"\n", &t[..11], &t[11..])
        }),
        text!("PHP literals with a dot", "a.php", 2, |t: &str| {
            format!("<?php\n$k = '{}' . '{}';\n", &t[..11], &t[11..])
        }),
    ]
}

fn packed() -> Vec<Case> {
    vec![
        bytes!("zip", "a.zip", 2, |t| zip(&[
            ("readme.txt", b"hello"),
            ("conf/.env", env_file(t).as_bytes())
        ])),
        bytes!("zip, stored", "b.zip", 2, |t| zip_stored(".env", env_file(t).as_bytes())),
        bytes!("jar", "app.jar", 2, |t| {
            let manifest = b"Manifest-Version: 1.0\n".as_slice();
            zip(&[("META-INF/MANIFEST.MF", manifest), ("app.properties", env_file(t).as_bytes())])
        }),
        bytes!("docx", "letter.docx", 2, |t| {
            let xml = format!("<?xml version=\"1.0\"?>\n<w:document><w:t>{t}</w:t></w:document>\n");
            zip(&[("[Content_Types].xml", b"<Types/>"), ("word/document.xml", xml.as_bytes())])
        }),
        bytes!("wheel", "app-1.0-py3-none-any.whl", 2, |t| zip(&[(
            "app/settings.py",
            env_file(t).as_bytes()
        )])),
        bytes!("tar", "a.tar", 2, |t| tar(&[("etc/app.env", env_file(t).as_bytes())])),
        bytes!("tar.gz", "a.tar.gz", 2, |t| gzip(&tar(&[("etc/app.env", env_file(t).as_bytes())]))),
        bytes!("tar.xz", "a.tar.xz", 2, |t| xz(&tar(&[("etc/app.env", env_file(t).as_bytes())]))),
        bytes!("gz", "app.log.gz", 2, |t| gzip(env_file(t).as_bytes())),
        bytes!("bz2", "app.log.bz2", 2, |t| bzip2(env_file(t).as_bytes())),
        bytes!("xz", "app.log.xz", 2, |t| xz(env_file(t).as_bytes())),
        bytes!("zst", "app.log.zst", 2, |t| zstd(env_file(t).as_bytes())),
        bytes!("zip in tar.gz", "release.tgz", 2, |t| {
            gzip(&tar(&[("dist/a.zip", &zip(&[("conf/.env", env_file(t).as_bytes())]))]))
        }),
        bytes!("base64 in a zip", "c.zip", 2, |t| {
            let yaml = format!("data:\n  token: {}\n", base64(t.as_bytes()));
            zip(&[("secret.yaml", yaml.as_bytes())])
        }),
    ]
}

/// Every case.
pub(crate) fn all() -> Vec<Case> {
    [plain(), encoded(), joined(), packed()].into_iter().flatten().collect()
}
